/** A folder with a tiny model of bytes, as `--model` takes it. */
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { ModelConfig } from '../../src/protocol/model.ts';
import { writeCheckpoint } from '../../src/trainer/checkpoint/write-checkpoint.ts';
import { createRandomParameters, tinyModels } from '../trainer/helpers/random-model.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

/** The model in it; its text is noise. */
export const byteModel: ModelConfig = { ...tinyModels['grouped, untied']!, vocabSize: 256 };

/** Writes the folder; it goes when the test ends. */
export async function makeModelFolder(t: ExecutionContext): Promise<string> {
  const folder = join(await makeTemporaryFolder(t), 'model');
  const parameters = createRandomParameters(byteModel, 3);
  await writeCheckpoint(folder, { model: byteModel, parameters, tokenizer: { kind: 'bytes' } });
  return folder;
}
