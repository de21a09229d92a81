/**
 * Reads from ONNX Runtime's verbose log where the nodes of a session were placed: on CUDA, or on the CPU for want of a
 * kernel, and how many copies between the two were put in. JavaScript is told in no other way.
 */

/** Nodes of one provider. */
export interface Placement {
  readonly provider: string;
  readonly nodes: number;
  /** how many of each operator; empty where the runtime does not list them, as when all nodes are in one place */
  readonly operators: Readonly<Record<string, number>>;
}

/** The placements of the first session that the log is about. */
export function readPlacements(log: string): Placement[] {
  const [, block = ''] = log.split(/^.*Node placements.*$/m);
  const placements: { provider: string; nodes: number; operators: Record<string, number> }[] = [];
  for (const line of block.split('\n')) {
    const head = line.match(/(?:All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)/);
    if (head !== null) {
      placements.push({ provider: head[1]!, nodes: Number(head[2]), operators: {} });
      continue;
    }
    const operator = line.match(/VerifyEachNodeIsAssignedToAnEp\]\s+(\w+) \(/)?.[1];
    const last = placements.at(-1);
    if (operator !== undefined && last !== undefined) {
      last.operators[operator] = (last.operators[operator] ?? 0) + 1;
    }
  }
  return placements;
}
