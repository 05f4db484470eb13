import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { RULES } from '../../src/rules/index.ts'
import { hitless, step, WORLD } from './commands.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

interface Ended {
  readonly exit: number
  readonly out: string
  readonly err: string
}

/** The program as a process of its own. */
function spawned(args: readonly string[], stdin = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (error, out, err) => resolve({ exit: Number(error?.code ?? 0), out, err }))
    child.stdin?.end(stdin)
  })
}

t.test('the program gives its exit codes to the shell, and no stack trace', async (t) => {
  const ends: readonly { args: string[]; exit: number }[] = [
    { args: ['check', '--base', WORLD, step('01-subset-v2')], exit: 0 },
    { args: ['check', '--base', WORLD, step('03-weight-10')], exit: 1 },
    { args: ['check', 'nowhere'], exit: 2 },
    { args: ['replay', join(t.testdir({ 'empty.yaml': '# none\n' }), 'empty.yaml')], exit: 2 },
    { args: ['no-such-command'], exit: 2 }
  ]
  for (const { args, exit } of ends) {
    const ended = await spawned(args)
    t.equal(ended.exit, exit, args.join(' '))
    t.notMatch(ended.err, /^\s+at /m)
    t.notMatch(ended.out, '\u001B', 'without a terminal there are no colours')
  }
})

t.test('the program reads standard input', async (t) => {
  const { exit, err } = await spawned(['check', '-'], 'a: b: c\n')
  t.equal(exit, 2)
  t.match(err, '<stdin>:1:5: ')
})

t.test('the program waits for what is slow to print', async (t) => {
  const child = spawn(process.execPath, [MAIN, 'check', '-'], { stdio: ['pipe', 'ignore', 'pipe'] })
  const told = text(child.stderr)
  const ended = once(child, 'exit')
  // More than a pipe holds: once all of it is taken, what reads has nothing left.
  await new Promise((resolve) => child.stdin.write('# \n'.repeat(100_000), resolve))
  await sleep(50)
  child.stdin.end('a: b: c\n')
  t.strictSame(await ended, [2, null])
  t.match(await told, '<stdin>:100001:5: ')
})

t.test('Ctrl-C ends a command that waits for its input', async (t) => {
  const pipe = join(t.testdir(), 'pipe.yaml')
  execFileSync('mkfifo', [pipe])
  const child = spawn(process.execPath, [MAIN, 'check', pipe], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  // It opens only once somebody reads.
  const writer = await open(pipe, 'w')
  child.kill('SIGINT')
  t.strictSame(await ended, [null, 'SIGINT'])
  await writer.close()
})

t.test('explain without a rule lists all rules', async (t) => {
  const { exit, out } = await hitless(['explain'])
  t.equal(exit, 0)
  for (const { id } of RULES) t.match(out, id)
})

for (const { id, summary, remedy } of RULES) {
  t.test(`explain ${id} is its page`, async (t) => {
    const { exit, out } = await hitless(['explain', id])
    t.equal(exit, 0)
    t.ok(out.startsWith(`${id}: ${summary}\n`))
    t.ok(out.includes(remedy))
  })
}

t.test('explain of a rule that nearly exists names the one that does', async (t) => {
  const { exit, err } = await hitless(['explain', 'undefind-subset'])
  t.equal(exit, 2)
  t.equal(err, 'hitless: there is no rule undefind-subset; did you mean undefined-subset? [HITLESS_UNKNOWN_RULE]\n')
})

t.test('explain of nothing known says how to list all', async (t) => {
  const { exit, err } = await hitless(['explain', 'xyz'])
  t.equal(exit, 2)
  t.match(err, '`hitless explain` lists all')
})

/** Command lines that cannot be understood, and a word of what is said. */
const MISUSES: readonly { args: string[]; says: string }[] = [
  { args: ['check'], says: "missing required argument 'paths'" },
  { args: ['chek', 'x'], says: 'Did you mean check?' },
  { args: ['check', '-o', 'xml', WORLD], says: 'Allowed choices are text, json, yaml' },
  { args: ['check', '--as', 'make', WORLD], says: 'Allowed choices are kubectl, helm, argocd, flux' },
  { args: ['check', '--bsae', WORLD, WORLD], says: 'Did you mean --base?' },
  { args: ['routes', '--client', 'A B', WORLD], says: 'A B is no client' },
  { args: ['demo', '--port', '99999'], says: '--port 99999: must be <= 65535' },
  { args: ['serve', '--port', 'http', '--sandbox', WORLD], says: '--port http: must be integer' },
  { args: ['serve', '--settle', '20000', '--sandbox', WORLD], says: '--settle 20000: must be <= 10000' },
  { args: ['serve', '--log-level', 'loud', '--sandbox', WORLD], says: '--log-level loud: must be one of fatal, error, warn' }
]
for (const { args, says } of MISUSES) {
  t.test(`${args.slice(0, 3).join(' ')} ends with 2: ${says}`, async (t) => {
    const { exit, err } = await hitless(args)
    t.equal(exit, 2)
    t.match(err, says)
  })
}

t.test('every command has a description, and examples in its help that can be understood', async (t) => {
  const { out } = await hitless(['--help'])
  const commands = [...out.matchAll(/^ {2}(\w+) .* {2,}\S/gm)].map(([, name = '']) => name).filter((name) => name !== 'help')
  t.ok(commands.length > 9)
  for (const command of commands) {
    const { exit, out } = await hitless([command, '--help'])
    t.equal(exit, 0)
    t.match(out, new RegExp(`Examples:\n {2}.*hitless ${command}`), command)
  }
})

t.test('--help is no error', async (t) => {
  const { exit, out } = await hitless(['check', '--help'])
  t.equal(exit, 0)
  t.match(out, '--strict-ready')
})

t.test('routes prints the table of the guide', async (t) => {
  const { exit, out } = await hitless(['routes', WORLD])
  t.equal(exit, 0)
  t.match(out, 'mesh default')
  t.match(out, /helloworld\.default\.svc\.cluster\.local:3000 v1 +100% +2 ready/)
})

t.test('routes as JSON, for one client and one host by its short name', async (t) => {
  const { exit, out } = await hitless(['routes', '-o', 'json', '--client', 'default{app=web}', '--host', 'helloworld', WORLD])
  t.equal(exit, 0)
  t.match(JSON.parse(out), {
    contexts: [
      {
        kind: 'mesh',
        namespace: 'default',
        labels: { app: 'web' },
        hosts: [
          {
            host: 'helloworld.default.svc.cluster.local',
            port: 3000,
            virtualServices: ['default/helloworld'],
            catchAll: true,
            routes: [{ action: 'route', destinations: [{ subset: 'v1', share: 1, defined: true, ready: 2 }] }]
          }
        ]
      }
    ]
  })
  const { out: none } = await hitless(['routes', '-o', 'json', '--client', 'default', '--host', 'other', WORLD])
  t.same(JSON.parse(none).contexts[0].hosts, [])
})

t.test('routes of what cannot be read are bad input', async (t) => {
  t.equal((await hitless(['routes', 'nowhere'])).exit, 2)
})

t.test('a cluster that is not there ends with 3, a kubeconfig without one too', async (t) => {
  const kubeconfig = join(t.testdir(), 'config')
  const cluster = { name: 'gone', cluster: { server: 'https://127.0.0.1:1' } }
  const context = { name: 'gone', context: { cluster: 'gone', user: 'me' } }
  writeFileSync(
    kubeconfig,
    JSON.stringify({ clusters: [cluster], contexts: [context], users: [{ name: 'me' }], 'current-context': 'gone' })
  )
  for (const command of [['routes'], ['audit'], ['check', WORLD]]) {
    const { exit, out, err } = await hitless([...command, '--cluster', '--kubeconfig', kubeconfig])
    t.equal(exit, 3, command.join(' '))
    t.equal(out, '')
    t.match(err, /^hitless: the cluster cannot be read: \w+: .*127\.0\.0\.1:1.* \[HITLESS_UNREACHABLE\]\n$/)
  }
  const { exit, err } = await hitless(['audit', '--cluster', '--kubeconfig', join(t.testdirName, 'none')])
  t.equal(exit, 3)
  t.match(err, /cannot read the kubeconfig/)
})

t.test('a command looks at files or at a cluster', async (t) => {
  for (const args of [['audit'], ['routes', '--cluster', WORLD]]) {
    t.match(await hitless(args), { exit: 2, err: /name either files or --cluster \[HITLESS_USAGE\]/ })
  }
})

t.test('a host or a namespace that is nearly one is named', async (t) => {
  t.match(await hitless(['routes', WORLD, '--host', 'hellworld']), {
    exit: 0,
    out: /^$/,
    err: 'nobody here knows a host hellworld; did you mean helloworld.default.svc.cluster.local?'
  })
  t.match(await hitless(['routes', WORLD, '--host', 'example.com']), {
    exit: 0,
    err: /nobody here knows a host example\.com\n/
  })
  t.match(await hitless(['routes', WORLD, '--client', 'defualt']), {
    exit: 0,
    err: 'no object is in a namespace defualt; did you mean default?'
  })
  t.match(await hitless(['routes', WORLD, '--client', 'default']), { exit: 0, err: /^$/ })
})

t.test('help says no default that says nothing', async (t) => {
  const { out } = await hitless(['check', '--help'])
  t.notMatch(out, /default: (?:false|\[\])/)
  t.match(out, /default: "kubectl"/)
})
