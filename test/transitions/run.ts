// npm run -s transitions -- DIR EXPECTED.jsonl [--list] [CASE...]
// npm run -s transitions -- --ratchet raises what is checked in to what is reached.
// Plays every transition of a folder: our answers to its probes beside Istio's, and our verdict on its write beside what that opens.
import { agreementOf, byKind, isCounted, judged } from './agreement.ts'
import { raise } from './ratchet.ts'
import { type Played, playTransition, readTransitions } from './transition.ts'

if (process.argv.includes('--ratchet')) {
  await raise()
  process.exit(0)
}
const list = process.argv.includes('--list')
const [directory, expected, ...cases] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
if (directory === undefined || expected === undefined) {
  process.stderr.write('usage: npm run -s transitions -- DIR EXPECTED.jsonl [--list] [CASE...]\n')
  process.exit(2)
}

const played: Played[] = []
for (const transition of readTransitions(expected)) {
  if (cases.length > 0 && !cases.includes(transition.case)) continue
  if (!transition.rejected) played.push(await playTransition(directory, transition))
}
if (list) for (const each of played) tell(each)
for (const [kind, { verdicts, answers, operators }] of byKind(played)) {
  say(`${kind}: ${verdicts}, ${answers}`)
  for (const [operator, figures] of operators) say(`  ${operator}: ${figures.verdicts}, ${figures.answers}`)
}
const apart = played.filter((each) => !isCounted(each))
say(`apart: ${apart.length} (${apart.filter(({ transition }) => transition.doubt !== undefined).length} in doubt)`)
const answers = agreementOf(played.map((each) => ({ of: each.answers, agree: each.answers - each.differences.length })))
say(`answers: ${answers}`)
say(`verdicts: ${agreementOf(played.filter(isCounted).map((each) => ({ of: 1, agree: judged(each) === 'agrees' ? 1 : 0 })))}`)

function tell(each: Played): void {
  const { transition, verdict, rules, message, differences } = each
  const { kind, what } = transition.write
  const how = judged(each)
  if (how !== 'agrees') {
    const aside = isCounted(each) ? '' : ' (apart)'
    say(`${transition.case}: ${kind} ${what}: ${how}${aside}: ${verdict} ${rules.join(', ')}${message === '' ? '' : `\n    ${message}`}`)
  }
  for (const difference of differences) say(`${transition.case}: ${kind} ${what}: ${difference}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
