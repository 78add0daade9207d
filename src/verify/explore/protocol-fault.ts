/** Something that a protocol's code did and must not do. The message goes on after the code's name: "made more than ...". */
export class ProtocolFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolFault";
  }
}
