/** There is more to explore than is allowed. The message goes on after what there is too much of. */
export class TooLarge extends Error {}
