import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { ControlMemory } from "../src/engine/real/control-memory.js";
import { GuestGate, HostGate } from "../src/engine/real/vcpu-gate.js";
import { ExitReason } from "../src/shared/kvm-abi.js";

const compareExchange = Atomics.compareExchange;

/** Lets the vCPU thread take its step at one of the host's accesses: what two threads could do, in one. */
function betweenAccesses(step: () => void, atAccess: number): void {
  let accesses = 0;
  Atomics.compareExchange = ((words: Int32Array, index: number, expected: number, replacement: number) => {
    if (accesses++ === atAccess) {
      const patched = Atomics.compareExchange;
      Atomics.compareExchange = compareExchange;
      step();
      Atomics.compareExchange = patched;
    }
    return compareExchange(words, index, expected, replacement);
  }) as typeof Atomics.compareExchange;
}

function gates(): { host: HostGate; guest: GuestGate } {
  const control = ControlMemory.allocate(1);
  return { host: new HostGate(control, 0), guest: new GuestGate(control, 0) };
}

afterEach(() => {
  Atomics.compareExchange = compareExchange;
});

describe("a kick is never lost", () => {
  for (const atAccess of [0, 1]) {
    it(`when the thread wakes before access ${atAccess} of the kick`, () => {
      const { host, guest } = gates();
      host.grant(0);
      betweenAccesses(() => guest.awaitGrant(), atAccess);
      host.kick();
      Atomics.compareExchange = compareExchange;
      // Woken before or after: it finds itself kicked, and acknowledges.
      assert.equal(guest.kicked, true, "the kick was lost");
      assert.equal(guest.awaitGrant(), true);
      guest.exit(ExitReason.Kicked, 0, 5);
      assert.equal(host.collectExit(), true);
      assert.equal(host.reason, ExitReason.Kicked);
    });

    it(`when the thread halts before access ${atAccess} of the kick: the halt wins`, () => {
      const { host, guest } = gates();
      host.grant(0);
      assert.equal(guest.awaitGrant(), true);
      betweenAccesses(() => guest.exit(ExitReason.Halted, 77, 5), atAccess);
      host.kick();
      Atomics.compareExchange = compareExchange;
      assert.equal(host.collectExit(), true);
      assert.equal(host.reason, ExitReason.Halted);
      assert.equal(host.wakeAt, 77);
      assert.equal(host.collectExit(), false, "one exit is one exit");
    });
  }

  it("when the grant is withdrawn before the thread woke", () => {
    const { host, guest } = gates();
    host.grant(0);
    host.kick();
    assert.equal(guest.awaitGrant(), true);
    assert.equal(guest.kicked, true);
  });
});
