// Runs in the namespaces that run.ts and proof.test.ts make for it; standard output gets the accounts, as JSON.
import { parseArgs } from 'node:util'
import { endWithParent } from '../cluster/own-network.ts'
import { type Account, accountOf, type WriteAccount } from './account.ts'
import { play, type Way } from './play.ts'
import { randomScripts } from './random-scripts.ts'
import { startRig } from './rig.ts'
import { SCRIPTS } from './scripts.ts'
import { TOOL_SCRIPTS } from './tool-scripts.ts'

endWithParent()
const WAYS = { without: 'without hitless', with: 'with hitless', forced: 'refused writes made all the same' }
const say = (line: string) => process.stderr.write(`${line}\n`)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    random: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    forced: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false }
  }
})
const all = [...SCRIPTS, ...TOOL_SCRIPTS, ...randomScripts(Number(values.random), Number(values.seed))]
const scripts = positionals.length === 0 ? all : all.filter(({ name }) => positionals.includes(name))
const rig = await startRig()
const accounts: Account[] = []
for (const script of scripts) {
  const account = async (way: Way) => {
    const found = accountOf(await play(rig, script, way))
    accounts.push(found)
    say(`${found.title}, ${WAYS[way]}: ${found.failed} of ${found.requests} requests failed`)
    if (values.verbose) for (const line of found.writes.flatMap(described)) say(line)
    return found
  }
  await account('without')
  const { writes } = await account('with')
  if (values.forced && writes.some(({ verdict }) => verdict === 'refused')) await account('forced')
}
await rig.stop()
process.stdout.write(JSON.stringify(accounts), () => process.exit(0))

function described({ what, verdict, failed, requests, converging, steady, message }: WriteAccount): string[] {
  const shares = steady.map((own) => `${own.name} ${own.failed}/${own.requests} of ${own.predicted?.share ?? 'nothing'} predicted`)
  const stray = converging.lastMs === null ? '' : `, ${converging.failed} of them within ${Math.round(converging.lastMs)} ms`
  return [
    `  ${verdict}: ${what}: ${failed} of ${requests} failed${stray}; ${shares.join(', ')}`,
    ...(message === '' ? [] : [`    ${message}`])
  ]
}
