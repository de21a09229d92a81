/** Refuses to found what this machine cannot train, before anything is made. spec/trainer.md#memory */
import type { InnerOptimizer } from '../protocol/manifest.ts';
import type { ModelConfig } from '../protocol/model.ts';
import { type PresetName, presets } from '../protocol/presets.ts';
import type { Device } from '../trainer/device.ts';
import { type PlannedTraining, planTraining, requireMemory } from '../trainer/training-plan.ts';
import { leafSteps } from '../trainer/work-root.ts';
import type { CliContext } from './cli-context.ts';

/**
 * Compares what the training processes take with the memory that is free. Of a GPU's own memory nothing is known here.
 * @param peers how many train on this machine at once
 * @throws {TapestryError} `memory-too-small`
 */
export function requireTrainingMemory(
  { memoryBytes }: Pick<CliContext, 'memoryBytes'>,
  { model, inner }: { readonly model: ModelConfig; readonly inner: InnerOptimizer },
  device: Device,
  peers = 1,
): void {
  if (device.kind !== 'cpu') return;
  const share = memoryBytes / peers;
  requireMemory(planTraining(model, inner, device, leafSteps, share), model, share);
}

/** What training a preset on the CPU takes at least, by name. */
export function estimatePresets(): { readonly name: PresetName; readonly planned: PlannedTraining }[] {
  return (Object.keys(presets) as PresetName[]).map((name) => {
    const { model, batchSize, sequenceLength } = presets[name];
    return { name, planned: planTraining(model, { batchSize, sequenceLength }, { kind: 'cpu' }, leafSteps, 0) };
  });
}
