import { PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { type Alternative, ownPage, payload } from "./alternative.js";
import { taken } from "./taken.js";

const BYTES = PAGE_WORDS * 4;

// The version protocol through a DataView, little-endian as the C structure is: plain accesses, so nothing is ordered.
// What one writes who wants to be sure of the byte order; torn reads are allowed, and on ARM64 they happen.
export const DATA_VIEW: Alternative = {
  name: "data-view",
  update() {
    const view = new DataView(ownPage());
    const values = payload();
    return (count) => {
      let version = 0;
      for (let i = 0; i < count; i++) {
        values[1] = i;
        const opening = (view.getInt32(0, true) + 1) | 1;
        view.setInt32(0, opening, true);
        for (let byte = 4; byte < BYTES; byte += 4) view.setInt32(byte, values[byte >> 2], true);
        version = (opening + 1) | 0;
        view.setInt32(0, version, true);
      }
      return version;
    };
  },
  read() {
    const view = new DataView(ownPage());
    const out = new Int32Array(PAGE_WORDS);
    return (count) => {
      let all = 0;
      for (let i = 0; i < count; i++) {
        const version = view.getInt32(0, true);
        if ((version & 1) !== 0) continue;
        for (let byte = 4; byte < BYTES; byte += 4) out[byte >> 2] = view.getInt32(byte, true);
        if (view.getInt32(0, true) === version) all ^= taken(out);
      }
      return all;
    };
  },
};
