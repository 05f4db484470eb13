// Runs in the namespaces that proof.ts makes for it; standard output gets what came of it, a line of JSON each.
import { parseArgs } from 'node:util'
import { endWithParent } from '../rig/own-network.ts'
import { accountOf, type WriteAccount, wayName } from './account.ts'
import { controlled } from './controllers.ts'
import { GATEWAY_API_SCRIPTS } from './gateway-api-scripts.ts'
import { KINDS_SCRIPT } from './kinds-script.ts'
import { margin } from './margin.ts'
import { MESH_CONFIG_SCRIPT } from './mesh-config-script.ts'
import { picture } from './picture.ts'
import { planned } from './planned.ts'
import { play, type Way } from './play.ts'
import type { Result } from './proof.ts'
import { randomScripts } from './random-scripts.ts'
import { type Rig, startRig } from './rig.ts'
import { CARELESS, SCRIPTS, type Script } from './scripts.ts'
import { settleRows } from './settle.ts'
import { TOOL_SCRIPTS } from './tool-scripts.ts'
import { versions } from './versions.ts'

endWithParent()
const say = (line: string) => process.stderr.write(`${line}\n`)
const report = (result: Result) => process.stdout.write(`${JSON.stringify(result)}\n`)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    random: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    part: { type: 'string', default: '1' },
    slow: { type: 'boolean', default: false },
    unforced: { type: 'boolean', default: false },
    forced: { type: 'string', multiple: true, default: [] },
    verbose: { type: 'boolean', default: false }
  }
})
const [what, ...played] = positionals
/** Those of `--forced` are played in that way alone. */
const names = [...played, ...values.forced]

function chosen(): readonly Script[] {
  const known = [
    ...SCRIPTS,
    KINDS_SCRIPT,
    MESH_CONFIG_SCRIPT,
    ...TOOL_SCRIPTS,
    ...GATEWAY_API_SCRIPTS,
    ...randomScripts(Number(values.random), Number(values.seed))
  ]
  const unknown = names.find((name) => !known.some((script) => script.name === name))
  if (unknown !== undefined) throw new Error(`there is no script ${unknown}; there are ${known.map(({ name }) => name).join(', ')}`)
  return names.length === 0 ? known : known.filter(({ name }) => names.includes(name))
}

async function playAs(rig: Rig, script: Script, way: Way) {
  const run = await play(rig, script, way)
  const account = accountOf(run)
  report({ kind: 'account', account })
  say(`${account.title}, ${wayName(way)}: ${account.failed} of ${account.requests} requests failed`)
  if (values.verbose) for (const line of account.writes.flatMap(described)) say(line)
  return run
}

function described({ what, verdict, failed, requests, converging, steady, message }: WriteAccount): string[] {
  const shares = steady.map((own) => `${own.name} ${own.failed}/${own.requests} of ${own.predicted?.share ?? 'nothing'} predicted`)
  const stray = converging.lastMs === null ? '' : `, ${converging.failed} of them within ${Math.round(converging.lastMs)} ms`
  return [
    `  ${verdict}: ${what}: ${failed} of ${requests} failed${stray}; ${shares.join(', ')}`,
    ...(message === '' ? [] : [`    ${message}`])
  ]
}

async function releases(scripts: readonly Script[], gatewayApi: boolean): Promise<void> {
  if (scripts.length === 0) return
  const rig = await startRig({ gatewayApi })
  for (const script of scripts) {
    if (values.forced.includes(script.name)) {
      await playAs(rig, script, 'forced')
      continue
    }
    const without = await playAs(rig, script, 'without')
    const withHitless = await playAs(rig, script, 'with')
    if (script === CARELESS) report({ kind: 'picture', svg: picture(without, withHitless) })
    if (!values.unforced && withHitless.writes.some(({ verdict }) => verdict === 'refused')) await playAs(rig, script, 'forced')
  }
  await rig.stop()
}

if (what === 'margin') report({ kind: 'margin', margin: await margin() })
else if (what === 'plan') report({ kind: 'plan', planned: await planned() })
else if (what === 'controllers')
  await controlled({ names, ways: values.unforced ? ['with'] : ['without', 'with'], slow: values.slow }, (release) =>
    report({ kind: 'controlled', release })
  )
else if (what === 'versions') for await (const row of versions(names)) report({ kind: 'version', row })
else if (what === 'settle') await settleRows(names, Number(values.part), (row) => report({ kind: 'settle', row }))
else {
  const isOfGatewayApi = (script: Script) => GATEWAY_API_SCRIPTS.includes(script)
  await releases(
    chosen().filter((script) => !isOfGatewayApi(script)),
    false
  )
  await releases(chosen().filter(isOfGatewayApi), true)
}
process.stdout.end(() => process.exit(0))
