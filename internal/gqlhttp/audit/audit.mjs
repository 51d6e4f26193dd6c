// Runs the GraphQL-over-HTTP audit of the npm package graphql-http against a server:
//
//     npm ci && node audit.mjs http://localhost:8080/graphql
//
// Introspection must be on, because two of the audits ask for __type. It prints every audit that did not pass and the
// totals, and fails unless all of MUST and SHOULD passed. MAY is for information: GET without a preflight header is
// refused on purpose.
import { serverAudits } from 'graphql-http';

const url = process.argv[2];
if (!url) {
  console.error('usage: node audit.mjs URL');
  process.exit(2);
}

const levels = ['MUST', 'SHOULD', 'MAY'];
const totals = Object.fromEntries(levels.map((level) => [level, { passed: 0, all: 0 }]));

for (const audit of serverAudits({ url })) {
  const total = totals[levels.find((level) => audit.name.startsWith(level))];
  const result = await audit.fn();
  // The library drains the body of an answer only where an audit looks at it.
  if (result.response && !result.response.bodyUsed) await result.response.arrayBuffer();
  total.all++;
  if (result.status === 'ok') total.passed++;
  else console.log(`${result.status}  ${result.id}  ${result.name}: ${result.reason}`);
}

for (const level of levels) console.log(`${level} ${totals[level].passed}/${totals[level].all}`);
const failed = ['MUST', 'SHOULD'].some((level) => totals[level].all === 0 || totals[level].passed < totals[level].all);
process.exit(failed ? 1 : 0);
