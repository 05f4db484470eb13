/** What `hitless serve` does in a Pod, by the same parts: the service account's directory is given here, where in a Pod it has its place. */
import { readFileSync } from 'node:fs'
import { parseConfig } from '../../src/config.ts'
import { RULE_IDS } from '../../src/rules/index.ts'
import { liveState, serve } from '../../src/webhook/serve.ts'
import { settleOf, tellMode } from '../../src/webhook/settle.ts'
import { telling } from '../../src/webhook/telling.ts'

const [server = '', directory = '', certFile = '', keyFile = ''] = process.argv.slice(2)
const ignored = () => undefined
const io = {
  out: ignored,
  err: (text: string) => process.stderr.write(text),
  stdin: () => '',
  writeFile: ignored,
  colour: false,
  columns: 80,
  status: null,
  env: {},
  nowMs: Date.now,
  busyMs: () => process.threadCpuUsage().user / 1000,
  version: '0',
  signal: new AbortController().signal
}
const settings = 'settle: { milliseconds: 0 }, server: { host: 127.0.0.1, port: 0, healthHost: 127.0.0.1, healthPort: 0, drainSeconds: 0 }'
const config = parseConfig(`{ apiVersion: hitless.io/v1, kind: Config, ${settings} }`, 'bench', RULE_IDS)
const told = telling(config, io)
const settle = settleOf(() => config, tellMode(told), io)
const { state, failed, live } = liveState(
  { kubeconfig: null, context: null, serviceAccount: { server, directory } },
  config,
  settle,
  told,
  io
)
const tls = { certificate: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
const running = await serve({ ...told, config: () => config, state, settle, tls, problem: () => null, live }, io)
process.stdout.write(`${running.port} ${running.healthPort}\n`)
await failed
