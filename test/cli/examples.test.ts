/** Every example that a help shows, as it stands there: on files, and, where it is of a cluster, as far as to an address at which nobody answers. */
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hitless, step, WORLD } from './commands.ts'

const NOWHERE = `
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: nowhere, cluster: {server: 'https://127.0.0.1:1'}}]
contexts: [${['here', 'prod', 'staging'].map((name) => `{name: ${name}, context: {cluster: nowhere, user: ''}}`).join(', ')}]
`
const RELEASE =
  'name: the subset is needed\nstate: [mesh]\nwrites: [{ delete: { apiVersion: networking.istio.io/v1, kind: DestinationRule, namespace: default, name: helloworld }, expect: deny }]\n'
const REQUESTS = 'requests: [{ host: helloworld, port: 3000, expect: { status: 200 } }]\n'

/** A folder with all that the examples name. */
function folderOf(test: Pick<typeof t, 'testdir'>): string {
  const folder = test.testdir({
    kubeconfig: NOWHERE,
    'hitless.yaml': 'apiVersion: hitless.io/v1\nkind: Config\n',
    'requests.yaml': REQUESTS,
    'release.yaml': RELEASE,
    scenarios: { 'release.yaml': RELEASE.replace('[mesh]', '[../mesh]') }
  })
  for (const state of ['mesh', 'old', 'new']) cpSync(WORLD, join(folder, state), { recursive: true })
  cpSync(join(step('01-subset-v2'), 'destination-rule.yaml'), join(folder, 'new/destination-rule.yaml'))
  cpSync(join(folder, 'new/destination-rule.yaml'), join(folder, 'new.yaml'))
  const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { cwd: folder })
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'mesh')
  git('update-ref', 'refs/remotes/origin/main', 'HEAD')
  return folder
}

/** The words of `hitless` in an example, as a shell would give them. What serves does so on ports that are free. */
function wordsOf(example: string): string[] {
  const [, line = ''] = /\bhitless ([^|)>#]*)/.exec(example) ?? []
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
  const free =
    words[0] === 'serve'
      ? ['--port', '0', '--health-port', '0', '--drain', '0']
      : words[0] === 'look' || words[0] === 'demo'
        ? ['--port', '0']
        : []
  const cluster = OF_CLUSTER.test(line) ? ['--kubeconfig', 'kubeconfig'] : []
  return [...words.flatMap((word) => (word.includes('*') ? globSync(word) : [word])), ...free, ...cluster]
}

const { out: help } = await hitless(['--help'])
const commands = [...help.matchAll(/^ {2}(\w+) \[?/gm)].flatMap(([, name = '']) => (name === 'help' ? [] : [name]))
const OF_CLUSTER = /--cluster\b|--context\b|--webhook-configuration\b/

for (const command of commands) {
  t.test(`hitless ${command} --help`, async (t) => {
    const { exit, out } = await hitless([command, '--help'])
    t.equal(exit, 0)
    const examples = (out.split('\nExamples:\n')[1] ?? '').split('\n').filter((line) => line !== '')
    t.not(examples.length, 0, 'has examples')
    const folder = folderOf(t)
    const back = process.cwd()
    process.chdir(folder)
    t.teardown(() => process.chdir(back))
    for (const example of examples) {
      const stop = new AbortController()
      const { exit, out, err } = await hitless(wordsOf(example), {
        stdin: readFileSync('new.yaml', 'utf8'),
        env: { PATH: process.env['PATH'] },
        signal: stop.signal,
        // What serves until it is stopped says where.
        onOut: (text) => /https?:\/\/\S+:\d+\//.test(text) && stop.abort()
      })
      // The webhook goes on trying.
      t.equal(exit, OF_CLUSTER.test(example) && command !== 'serve' ? 3 : 0, `${example}\n${err}${out}`)
    }
  })
}
