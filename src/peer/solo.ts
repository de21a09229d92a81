/**
 * What a peer gets alone: the same model, data and number of steps, without the others and without compression. Only
 * for comparison with the shared base (`testnet up --compare-solo`); nothing of it is kept.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHex } from '../protocol/hex.ts';
import { computeInitialBase } from '../protocol/initial-base.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { createTrainer } from '../trainer/trainer.ts';
import { viewBytes } from './base-keeper.ts';
import { createTrainerInit } from './chain-rules.ts';
import type { PeerData } from './peer.ts';
import { computeDataSeed } from './training-keeper.ts';

/** One peer's share of a comparison. */
export interface SoloInit {
  readonly manifest: Manifest;
  readonly data: PeerData;
  readonly threads: number;
  /** rounds of `inner.steps` steps each */
  readonly rounds: number;
  /** `training.progressed` {step, of, loss} and `warning` {message} */
  readonly onEvent: (event: { readonly event: string; readonly [fact: string]: unknown }) => void;
  readonly signal?: AbortSignal;
}

/** Loss on the shared held-out text, nats per byte. */
export interface SoloResult {
  readonly mean: number;
  readonly perKind: Readonly<Record<string, number>>;
}

/** Trains alone for `rounds` rounds and measures the result as the base is measured. */
export async function runSolo(init: SoloInit): Promise<SoloResult> {
  const { manifest, data, threads, rounds, onEvent } = init;
  const signal = init.signal ?? new AbortController().signal;
  const folder = await mkdtemp(join(tmpdir(), 'tapestry-solo-'));
  const trainer = createTrainer(createTrainerInit(manifest, data, threads));
  try {
    for (const message of (await trainer.start()).warnings) {
      onEvent({ event: 'warning', message });
    }
    const base = computeInitialBase(manifest.model, fromHex(manifest.seed));
    const basePath = join(folder, 'base');
    await writeFile(basePath, viewBytes(base));
    const request = {
      round: 1,
      innerSteps: rounds * manifest.inner.steps,
      firstStep: 0,
      basePath,
      momentsPath: null,
      errorFeedbackPath: null,
      includedBodyPath: null,
      outputDirectory: folder,
      dataSeed: computeDataSeed(manifest.seed, manifest.voters[0]!.key),
    };
    const onProgress = (step: number, of: number, loss: number): void =>
      onEvent({ event: 'training.progressed', step, of, loss });
    const { errorFeedbackPath } = await trainer.train(request, { signal, onProgress });
    // With no error feedback before it, what was accumulated is base − local: subtracting it gives the local weights.
    const bytes = await readFile(errorFeedbackPath);
    const difference = new Float32Array(new Uint8Array(bytes).buffer);
    const trainedPath = join(folder, 'trained');
    await writeFile(trainedPath, viewBytes(base.map((value, index) => value - difference[index]!)));
    const { sequencesPerKind } = manifest.heldOut;
    const { mean, perKind } = await trainer.evaluate(trainedPath, { sequencesPerKind, signal });
    return { mean, perKind: Object.fromEntries(perKind.map(({ kind, loss }) => [kind, loss])) };
  } finally {
    await trainer.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
