/**
 * Loaded before a peer by `--import`: ends the process with SIGKILL at one exact point of its durable writes. The peer
 * itself knows nothing of it. TAPESTRY_TEST_KILL_AT is `<slot>:<before|after>`; the slot `certified` is the write of a
 * decided value. `after` means written and not yet sent.
 */
import { SqliteStore } from '../../src/peer/storage/sqlite-store.ts';

const [slot, when] = (process.env.TAPESTRY_TEST_KILL_AT ?? '').split(':');
const { recordSent, transaction, putCertified } = SqliteStore.prototype;
let isHit = false;

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal takes a moment to arrive; nothing may happen in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error('unreachable');
}

SqliteStore.prototype.recordSent = function (entry, state) {
  recordSent.call(this, entry, state);
  if (entry.slot.split(':')[0] === slot) {
    isHit = true;
    if (when === 'before') {
      die();
    }
  }
};

SqliteStore.prototype.transaction = function <T>(run: () => T): T {
  const result = transaction.call(this, run) as T;
  if (isHit) {
    die();
  }
  return result;
};

SqliteStore.prototype.putCertified = function (entry) {
  if (slot === 'certified' && when === 'before') {
    die();
  }
  putCertified.call(this, entry);
  if (slot === 'certified') {
    die();
  }
};
