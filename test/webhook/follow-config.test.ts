/** A configuration's file that changes while the webhook runs. */
import { mkdirSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { parseConfig } from '../../src/config.ts'
import { RULE_IDS } from '../../src/rules/index.ts'
import { followConfig } from '../../src/webhook/follow-config.ts'

/** Follows a file as Kubernetes mounts it: through a link to a folder, which is swapped. */
function follow(end: AbortSignal, folder: string, body: string) {
  const file = join(folder, 'config.yaml')
  let version = 0
  const put = (text: string) => {
    const name = `..version-${++version}`
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'config.yaml'), `apiVersion: hitless.io/v1\nkind: Config\n${text}\n`)
    symlinkSync(name, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  put(body)
  symlinkSync('..data/config.yaml', file)
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const parse = (text: string) => parseConfig(text, file, RULE_IDS)
  // The look at the file keeps no process alive.
  const alive = setInterval(() => undefined, 60_000)
  end.addEventListener('abort', () => clearInterval(alive), { once: true })
  let looked: (success: boolean) => void = () => undefined
  const content = readFileSync(file, 'utf8')
  const config = followConfig(
    { file, content, config: parse(content), parse, log, reloaded: (success) => looked(success), everyMs: 10 },
    end
  )
  return {
    config,
    lines,
    log,
    /** Resolves when it was noticed that the file has gone. */
    remove: () =>
      new Promise<boolean>((resolve) => {
        looked = resolve
        unlinkSync(file)
      }),
    /** Resolves when the new file was looked at, to whether it was taken over. */
    swap: (text: string) =>
      new Promise<boolean>((resolve) => {
        looked = resolve
        put(text)
      })
  }
}

t.test('a valid file is taken over at once, and one that is not changes nothing', async (t) => {
  const end = new AbortController()
  t.teardown(() => end.abort())
  const { config, swap, remove, lines, log } = follow(end.signal, t.testdir(), 'rules: { missing-fallback: warn }')
  t.same(config().rules, { 'missing-fallback': 'warn' })

  t.equal(await swap('rules: { workload-name: "off" }\nsettle: { milliseconds: 0 }\nlog: { level: debug }'), true)
  t.same(config().rules, { 'workload-name': 'off' })
  t.equal(config().settle.milliseconds, 0)
  t.equal(log.level, 'debug')

  t.equal(await swap('rulez: {}'), false)
  t.same(config().rules, { 'workload-name': 'off' }, 'as before')
  t.match(lines.at(-1)?.['msg'], /configuration kept as it was: .*config\.yaml: rulez is not known; do you mean rules\?/)

  t.equal(await swap('rules: { workload-name: warn }'), true)
  t.same(config().rules, { 'workload-name': 'warn' }, 'a repaired file is taken over')

  t.equal(await remove(), false)
  t.same(config().rules, { 'workload-name': 'warn' }, 'a lost file changes nothing')
  t.match(lines.at(-1)?.['msg'], /cannot be read/)
})

t.test('what listeners and the model were built with waits for a restart, and is named', async (t) => {
  const end = new AbortController()
  t.teardown(() => end.abort())
  const { config, swap, lines } = follow(end.signal, t.testdir(), '')
  t.equal(await swap('server: { port: 1234 }\nsettings: { domain: example.org }\nwhenStale: deny'), true)
  t.equal(config().server.port, 9443)
  t.equal(config().settings.domain, 'cluster.local')
  t.equal(config().whenStale, 'deny')
  t.match(lines.at(-1), { fields: ['server', 'settings'], msg: 'these fields are taken over by a restart' })
})
