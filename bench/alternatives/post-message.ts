import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { type Alternative, payload } from "./alternative.js";

// A message for each update, taken by the other end in the same thread: else the queue would grow as long as the run.
// What a program in JavaScript would do first. A reader has no latest value: it looks whether there is a newer message.
export const POST_MESSAGE: Alternative = {
  name: "post-message",
  update() {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    port2.unref();
    const values = payload();
    return (count) => {
      let received: unknown;
      for (let i = 0; i < count; i++) {
        values[1] = i;
        port1.postMessage(values);
        received = receiveMessageOnPort(port2);
      }
      return received;
    };
  },
  read() {
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    port2.unref();
    return (count) => {
      let nothing = 0;
      for (let i = 0; i < count; i++) if (receiveMessageOnPort(port2) === undefined) nothing++;
      return nothing;
    };
  },
};
