import test from 'ava';
import { readPlacements } from '../../benchmarks/cuda-placement.ts';

const line = (text: string): string =>
  `2026-01-01 00:00:00.000000001 [V:onnxruntime:, session_state.cc:1380 VerifyEachNodeIsAssignedToAnEp] ${text}`;

test('nodes that are all in one place are counted', (t) => {
  const log = [
    'other',
    line('Node placements'),
    line(' All nodes placed on [CPUExecutionProvider]. Number of nodes: 499'),
  ];
  t.deepEqual(readPlacements(log.join('\n')), [{ provider: 'CPUExecutionProvider', nodes: 499, operators: {} }]);
});

test('where there are two places, the operators of each are counted, copies among them', (t) => {
  const log = [
    line('Node placements'),
    line(' Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 3'),
    line('   Gemm (node_1)'),
    line('   Gemm (node_2)'),
    line('   MemcpyToHost (Memcpy)'),
    line(' Node(s) placed on [CPUExecutionProvider]. Number of nodes: 1'),
    line('   Identity (node_3)'),
    '[V:onnxruntime:, session_state.cc:191 CreateGraphInfo] Done saving (x)',
  ];
  t.deepEqual(readPlacements(log.join('\n')), [
    { provider: 'CUDAExecutionProvider', nodes: 3, operators: { Gemm: 2, MemcpyToHost: 1 } },
    { provider: 'CPUExecutionProvider', nodes: 1, operators: { Identity: 1 } },
  ]);
});

test('a log without placements gives none', (t) => {
  t.deepEqual(readPlacements('nothing\n'), []);
});
