/** Above this share of elapsed time the real machine had more say than the scheduler that is emulated. */
export const MAX_NOISE_SHARE = 0.05;
