/** Something that is drawn over itself on a terminal. */
export interface TerminalView {
  /** Does something that writes to the terminal, with the view out of its way. */
  aside(write: () => void): void;
  /** Takes the view off the terminal; what comes later stands where it stood. */
  end(): void;
}
