/**
 * What a peer gets alone: the same model, data and number of steps, without the others and without compression. Only
 * for comparison with the shared base (`testnet up --compare-solo`); nothing of it is kept.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../protocol/manifest.ts';
import { createTrainer } from '../trainer/trainer.ts';
import { viewBytes } from './base-keeper.ts';
import { createTrainerInit, type TrainerChoice } from './chain-rules.ts';
import { locateTokenizer, readInitialBase } from './founding-blobs.ts';
import { packOwnData } from './pack-own-data.ts';
import { computeDataSeed } from './training-keeper.ts';

/** One peer's share of a comparison. */
export interface SoloInit extends TrainerChoice {
  readonly manifest: Manifest;
  /** a folder of the network: first weights and tokenizer may be there */
  readonly networkFolder: string;
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
  const { manifest, networkFolder, rounds, onEvent } = init;
  const signal = init.signal ?? new AbortController().signal;
  const folder = await mkdtemp(join(tmpdir(), 'tapestry-solo-'));
  const tokenizer = locateTokenizer(manifest, networkFolder);
  await packOwnData({
    data: init.data,
    networkFolder,
    tokenizer,
    emit: onEvent,
    nowMs: () => performance.now(),
    signal,
  });
  const trainer = createTrainer(createTrainerInit(manifest, init, networkFolder));
  try {
    for (const message of (await trainer.start()).warnings) {
      onEvent({ event: 'warning', message });
    }
    const startPath = join(folder, 'start');
    await writeFile(startPath, viewBytes(await readInitialBase(manifest, networkFolder)));
    const request = {
      steps: rounds * manifest.inner.steps,
      firstStep: 0,
      parametersPath: startPath,
      momentsPath: null,
      outputDirectory: folder,
      name: 'trained',
      dataSeed: computeDataSeed(manifest.seed, manifest.voters[0]!.key),
    };
    const onProgress = (step: number, of: number, loss: number): void =>
      onEvent({ event: 'training.progressed', step, of, loss });
    const { parametersPath } = await trainer.advance(request, { signal, onProgress });
    const { sequencesPerKind } = manifest.heldOut;
    const { mean, perKind } = await trainer.evaluate(parametersPath, { sequencesPerKind, signal });
    return { mean, perKind: Object.fromEntries(perKind.map(({ kind, loss }) => [kind, loss])) };
  } finally {
    await trainer.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
