/**
 * The one place where a peer is put together: storage, network, trainer and rules, in the order in which they can fail.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { fromHex, toHex } from '../protocol/hex.ts';
import { computeInitialBase } from '../protocol/initial-base.ts';
import { encodeManifest } from '../protocol/manifest-canonical.ts';
import { createFastSigner, createFastVerifier } from '../protocol/signature.ts';
import { createTrainer } from '../trainer/trainer.ts';
import { AddressBook } from './address-book.ts';
import { BaseKeeper } from './base-keeper.ts';
import { ChainKeeper } from './chain-keeper.ts';
import { createBodyShape, createChainRules, createTrainerInit } from './chain-rules.ts';
import { manifestProtocol } from './fetch-manifest.ts';
import { loadIdentity } from './identity.ts';
import { findFreePort } from './network/find-free-port.ts';
import { Libp2pNetwork } from './network/libp2p-network.ts';
import type { NetworkLogger } from './network/network.ts';
import type { Peer, PeerInit } from './peer.ts';
import { PeerMetrics } from './peer-metrics.ts';
import type { PeerParts } from './peer-parts.ts';
import { PeerRuntime } from './peer-runtime.ts';
import { BlobExchange } from './storage/blob-exchange.ts';
import { BlobStore } from './storage/blob-store.ts';
import { HomeLock } from './storage/home-lock.ts';
import { SqliteStore } from './storage/sqlite-store.ts';
import { Synchroniser } from './synchroniser.ts';
import { TrainingKeeper } from './training-keeper.ts';

/** Milliseconds since 1970 that never go back: deadlines outlive a clock that is set. */
function getNowMs(): number {
  return Math.round(performance.timeOrigin + performance.now());
}

/** Where a network's rows are, inside its folder. */
export const databaseFile = 'peer.sqlite';
/** Where a network's bases and bodies are, inside its folder. */
export const blobFolder = 'blobs';

async function chooseListen({ listen }: PeerInit): Promise<string[]> {
  const { host, port, explicitPort } = listen;
  const free = explicitPort || port === 0 ? port : await findFreePort(host, port);
  return [`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${free}`];
}

function createLogger(init: PeerInit): NetworkLogger {
  return {
    debug: () => undefined,
    warn: (event, facts) => init.onEvent({ ...facts, event, atMs: Date.now() }),
  };
}

/**
 * Makes a peer of one network: takes its folder, reads what is there, listens once it is started.
 * @throws {TapestryError} what its storage, identity and network throw: `home-locked`, `database-corrupt`,
 *   `identity-invalid`, `port-in-use`, `folder-unwritable`, …
 */
export async function createPeer(init: PeerInit): Promise<Peer> {
  const { manifest, networkId, networkFolder } = init;
  const lock = new HomeLock(networkFolder);
  try {
    return await assemble(init, lock);
  } catch (error) {
    lock.release();
    throw error;
  }

  async function assemble(peerInit: PeerInit, held: HomeLock): Promise<Peer> {
    const identity = loadIdentity(join(peerInit.home, 'identity.seed'));
    const self = toHex(identity.publicKey);
    refuseLostDatabase(networkFolder);
    const store = new SqliteStore(join(networkFolder, databaseFile));
    refuseOtherIdentity(store, self, peerInit.home);
    const blobs = new BlobStore(join(networkFolder, blobFolder));
    const trainingFolder = join(networkFolder, 'training');
    mkdirSync(trainingFolder, { recursive: true });
    const rules = createChainRules(manifest, networkId);
    const shape = createBodyShape(manifest);
    const verifier = createFastVerifier();
    const bases = new BaseKeeper({ blobs, shape, outer: manifest.outer });
    const logger = createLogger(peerInit);
    const metrics = new PeerMetrics(store, self);
    // The runtime comes last, and those before it speak to it: by reference, once it is there.
    let runtime: PeerRuntime | null = null;
    const network = new Libp2pNetwork({
      seed: identity.seed,
      networkId,
      listen: await chooseListen(peerInit),
      onMessage: async (bytes) => runtime?.onGossip(bytes) ?? 'ignore',
      onPeer: (event, id) => runtime?.onPeer(event, id),
      logger,
    });
    const genesis = bases.hold(computeInitialBase(manifest.model, fromHex(manifest.seed)));
    const onAdvance = (value: Parameters<PeerRuntime['onAdvance']>[0]): void => runtime?.onAdvance(value);
    const chain = new ChainKeeper({ store, rules, verifier, onAdvance }, genesis);
    chain.load((value) => {
      const contributed = store.sentInRound(value.round).some(({ slot }) => slot === 'contribution');
      metrics.countRound(value, contributed);
    });
    const trainer = createTrainer(createTrainerInit(manifest, peerInit.data, peerInit.threads));
    const getValue = chain.getValue.bind(chain);
    const folder = trainingFolder;
    const parts: PeerParts = {
      init: peerInit,
      manifest,
      rules,
      shape,
      self,
      signer: createFastSigner(identity.seed),
      verifier,
      store,
      blobs,
      bases,
      chain,
      network,
      exchange: new BlobExchange({ network, blobs, logger }),
      trainer,
      training: new TrainingKeeper({ store, blobs, trainer, manifest, self, folder, getValue }),
      metrics,
      nowMs: getNowMs,
    };
    const running = new PeerRuntime(parts);
    runtime = running;
    const canonical = encodeManifest(manifest);
    network.handle(manifestProtocol, async () => canonical, { maxRequestBytes: 16 });
    return createHandle(parts, running, held);
  }
}

/** An empty database beside blobs is not a fresh start: what this peer signed is forgotten. */
function refuseLostDatabase(networkFolder: string): void {
  const path = join(networkFolder, databaseFile);
  const blobs = join(networkFolder, blobFolder);
  const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (sizeBytes === 0 && existsSync(blobs) && readdirSync(blobs).length > 0) {
    throw new TapestryError(
      'database-lost',
      `${path}: expected the database of a peer that has run before, found ${existsSync(path) ? 'an empty file' : 'none'}`,
      'Restore it from a backup. Without one, move the whole network folder aside and join again; a voter waits until ' +
        'the round it was in is over, since it no longer knows what it signed.',
      { path },
    );
  }
}

/** A folder belongs to one key: another would go on with training and votes that are not its own. */
function refuseOtherIdentity(store: SqliteStore, self: string, home: string): void {
  const owner = store.getMeta('key');
  if (owner === null) {
    store.setMeta('key', self);
  } else if (owner !== self) {
    store.close();
    throw new TapestryError(
      'identity-changed',
      `${join(home, 'identity.seed')}: expected the seed of key ${String(owner).slice(0, 16)}…, found that of ${self.slice(0, 16)}…`,
      'Put the old seed file back, or use a home of its own for the new identity (--home).',
      { expected: owner, actual: self },
    );
  }
}

function createHandle(parts: PeerParts, runtime: PeerRuntime, lock: HomeLock): Peer {
  const { init, network, store, trainer, chain } = parts;
  let synchroniser: Synchroniser | null = null;
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    await runtime.stop();
    await Promise.all([trainer.stop(), network.stop()]);
    store.close();
    lock.release();
  };
  return {
    done: runtime.done,
    status: () => runtime.status(),
    async start() {
      const report = await trainer.start();
      for (const message of report.warnings) {
        init.onEvent({ event: 'warning', atMs: Date.now(), message });
      }
      synchroniser = new Synchroniser({
        network,
        getRequest: () => runtime.getSyncRequest(),
        getCertificates: (first, count) => chain.certificates(first, count),
        getMessages: (round) => runtime.getMessages(round),
        findMessage: (hash) => runtime.findMessage(hash),
        onResponse: (response, from) => runtime.onSyncResponse(response, from),
        onUnanswered: (peer) => runtime.onUnanswered(peer),
        getPauseMs: () => runtime.getSyncPauseMs(),
        random: Math.random,
      });
      await network.start();
      const addresses = new AddressBook(
        {
          network,
          store,
          nowMs: Date.now,
          onFailure: (address, error) =>
            init.onEvent({ event: 'peer.unreachable', atMs: Date.now(), address, reason: error.message }),
        },
        init.bootstrap,
      );
      const { round } = chain.state;
      const facts = { id: network.id, addresses: network.addresses(), round: round - 1 };
      init.onEvent({ event: 'peer.started', atMs: Date.now(), ...facts });
      runtime.start(synchroniser, addresses);
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
