import test from 'ava';
import { formatJoinLink, parseJoinLink } from '../../src/cli/join-link.ts';
import { TapestryError } from '../../src/protocol/errors.ts';

const peer = '/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp';
const link = {
  networkId: 'ab'.repeat(32),
  addresses: [`/ip4/192.0.2.1/tcp/4731${peer}`, `/ip6/2001:db8::1/tcp/1${peer}`],
};

test('what is written reads back, spaces around it included', (t) => {
  t.deepEqual(parseJoinLink(formatJoinLink(link)), link);
  t.deepEqual(parseJoinLink(`  ${formatJoinLink(link)}\n`), link);
});

const refused: [title: string, text: string][] = [
  ['something else', 'https://example.org'],
  ['a short network id', `tapestry:abab@${link.addresses[0]}`],
  ['upper-case digits', `tapestry:${'AB'.repeat(32)}@${link.addresses[0]}`],
  ['no address', `tapestry:${link.networkId}@`],
  ['an address that is none', `tapestry:${link.networkId}@192.0.2.1:4731`],
  ['an address without a peer', `tapestry:${link.networkId}@/ip4/192.0.2.1/tcp/4731`],
  ['a second address that is none', `tapestry:${link.networkId}@${link.addresses[0]},oops`],
  ['seventeen addresses', formatJoinLink({ ...link, addresses: Array(17).fill(link.addresses[0]!) })],
];

for (const [title, text] of refused) {
  test(`refuses ${title}`, (t) => {
    const error = t.throws(() => parseJoinLink(text), { instanceOf: TapestryError });
    t.is(error.code, 'link-invalid');
    t.true(error.message.length < 250);
  });
}
