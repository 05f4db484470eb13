/** The GitHub action, the GitLab job and the pre-commit hook: their own commands, run on a repository, with what this one holds. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { load, loadAll } from 'js-yaml'
import t from 'tap'
import { installPreCommit } from '../rig/binaries.ts'
import { environment } from './dockerfile.ts'

// npm fetches what no other run has.
t.setTimeout(20 * 60_000)

const ROOT = join(import.meta.dirname, '../..')
const ACTION = join(ROOT, '.github/actions/check')
/** What hitless runs from: its sources, and what they need. */
const SOURCES = ['package.json', 'package-lock.json', '.npmrc', 'src']
const folder = t.testdir({ temp: {} })
const TEMP = join(folder, 'temp')

interface Input {
  readonly default?: string
}

interface Step {
  readonly id?: string
  readonly if?: string
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
}

interface Action {
  readonly inputs: Readonly<Record<string, Input>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}

interface Job {
  readonly script: readonly string[]
  readonly variables: Readonly<Record<string, string>>
}

const action = load(readFileSync(join(ACTION, 'action.yml'), 'utf8')) as Action
const [{ filename }] = JSON.parse(
  execFileSync('env', ['-i', ...environment(), 'npm', 'pack', '--json', '--pack-destination', folder], { cwd: ROOT, encoding: 'utf8' })
) as [{ filename: string }]
const PACKAGE = join(folder, filename)

const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], { cwd, encoding: 'utf8' }).trim()

/** A checkout of `main` with the example's world, and a branch of it that brings one step of the release. */
function checkout(name: string, step: string): { cwd: string; base: string } {
  const origin = join(folder, `${name}-origin`)
  const cwd = join(folder, name)
  cpSync(join(ROOT, 'examples/helloworld/world'), join(origin, 'mesh'), { recursive: true })
  commitAll(origin)
  const base = git(origin, 'rev-parse', 'HEAD')
  git(origin, 'switch', '-qc', 'change')
  for (const file of ['destination-rule.yaml', 'virtual-service.yaml']) {
    const from = join(ROOT, 'examples/helloworld/release', step, file)
    if (existsSync(from)) cpSync(from, join(origin, 'mesh', file))
  }
  git(origin, 'commit', '-qam', 'change')
  git(folder, 'clone', '-q', '--depth=1', '--branch=change', `file://${origin}`, cwd)
  return { cwd, base }
}

/** One comment, as GitHub keeps it; the token may write where it is `writer`. */
async function startGitHub() {
  const comments: { id: number; url: string; body: string; user: { type: string } }[] = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    const path = new URL(request.url ?? '', 'http://localhost').pathname
    const answer = (status: number, content: unknown) => response.writeHead(status).end(JSON.stringify(content))
    if (request.method === 'GET') return answer(200, comments)
    if (request.headers.authorization !== 'Bearer writer') return answer(403, { message: 'Resource not accessible by integration' })
    const content = (JSON.parse(body) as { body: string }).body
    if (request.method === 'PATCH') {
      const found = comments.find(({ id }) => path.endsWith(`/comments/${id}`))
      if (found === undefined) return answer(404, {})
      found.body = content
      return answer(200, found)
    }
    const id = comments.length + 1
    comments.push({ id, url: `${url}/repos/o/r/issues/comments/${id}`, body: content, user: { type: 'Bot' } })
    return answer(201, comments.at(-1))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.teardown(() => server.close())
  return { url, comments }
}

const github = await startGitHub()

/** Runs the action as a runner does: what its steps run, with the inputs and outputs put into their environment. */
async function act(cwd: string, given: Readonly<Record<string, string>>): Promise<{ code: number; out: string; summary: string }> {
  for (const report of ['hitless.md', 'hitless.sarif']) rmSync(join(TEMP, report), { force: true })
  const files = {
    GITHUB_OUTPUT: join(TEMP, 'output'),
    GITHUB_STEP_SUMMARY: join(TEMP, 'summary'),
    GITHUB_EVENT_PATH: join(TEMP, 'event.json')
  }
  for (const file of Object.values(files)) writeFileSync(file, '')
  writeFileSync(files.GITHUB_EVENT_PATH, JSON.stringify({ pull_request: { number: 7 } }))
  const defaults = Object.fromEntries(Object.entries(action.inputs).map(([input, { default: value = '' }]) => [input, value]))
  const inputs: Record<string, string> = { ...defaults, token: 'writer', ...given }
  const outputs = () =>
    Object.fromEntries(
      readFileSync(files.GITHUB_OUTPUT, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split('='))
    )
  const filled = (value: string) =>
    value.replace(
      /\$\{\{ (inputs|steps\.check\.outputs)\.([\w-]+) \}\}/g,
      (_, of, key) => (of === 'inputs' ? inputs[key] : outputs()[key]) ?? ''
    )
  let [code, out] = [0, '']
  for (const { run, env = {} } of action.runs.steps.filter(({ run }) => run !== undefined)) {
    const own = Object.entries(env).map(([key, value]) => `${key}=${filled(value)}`)
    const github_ = [`GITHUB_API_URL=${github.url}`, 'GITHUB_REPOSITORY=o/r', 'GITHUB_BASE_REF=main', `GITHUB_ACTION_PATH=${ACTION}`]
    const runner = [...Object.entries(files).map(([key, value]) => `${key}=${value}`), `RUNNER_TEMP=${TEMP}`, ...github_]
    const shell = ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', run ?? '']
    const { status, stdout, stderr } = await spawned(['-i', ...environment(), ...runner, ...own, ...shell], cwd)
    out += `${stdout}${stderr}`
    code = status
    if (code !== 0) break
  }
  return { code, out, summary: readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8') }
}

/** Not `spawnSync`: the server that stands for GitHub answers from this process. */
async function spawned(args: readonly string[], cwd: string): Promise<{ status: number; stdout: string; stderr: string }> {
  const { spawn } = await import('node:child_process')
  const child = spawn('env', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { status: Number(status), stdout, stderr }
}

t.test('the action posts one report, and puts each later one into it', async (t) => {
  const { cwd } = checkout('action', '03-weight-10')
  const first = await act(cwd, { paths: 'mesh' })
  t.equal(first.code, 1, first.out)
  t.match(first.out, /::error file=mesh\/virtual-service\.yaml,line=\d+/)
  t.match(first.summary, '### hitless: 1 of 4 writes would be denied')
  t.equal(github.comments.length, 1)
  t.match(github.comments[0]?.body, /^<!-- hitless[^\n]*-->\n### hitless: 1 of 4 writes would be denied\n/)
  github.comments.unshift({ id: 99, url: `${github.url}/99`, body: github.comments[0]?.body ?? '', user: { type: 'User' } })
  cpSync(join(ROOT, 'examples/helloworld/release/01-subset-v2/destination-rule.yaml'), join(cwd, 'mesh/destination-rule.yaml'))
  cpSync(join(ROOT, 'examples/helloworld/release/02-deployment-v2/deployment-v2.yaml'), join(cwd, 'mesh/deployment-v2.yaml'))
  const second = await act(cwd, { paths: 'mesh', sarif: 'true' })
  t.equal(second.code, 0, second.out)
  t.equal(github.comments.length, 2, 'the one of a person with the same words is not touched')
  t.match(github.comments[1]?.body, 'nothing would be denied')
  t.match(JSON.parse(readFileSync(join(TEMP, 'hitless.sarif'), 'utf8')), { version: '2.1.0' })
})

t.test('where its token may not comment the report is in the summary', async (t) => {
  const { cwd } = checkout('fork', '01-subset-v2')
  const { code, out, summary } = await act(cwd, { paths: 'mesh\n', token: 'reader' })
  t.equal(code, 0, out)
  t.match(out, '::notice::hitless: this token may not comment')
  t.match(summary, 'nothing would be denied')
})

t.test('what cannot be judged ends it before anything is posted', async (t) => {
  const { cwd } = checkout('broken', '01-subset-v2')
  const { code, out } = await act(cwd, { paths: 'nowhere' })
  t.equal(code, 2)
  t.match(out, 'nowhere')
})

t.test('what the action runs of others is named by a commit', (t) => {
  for (const { uses } of action.runs.steps) if (uses !== undefined) t.match(uses, /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/)
  for (const [line] of readFileSync(join(ACTION, 'action.yml'), 'utf8').matchAll(/^.*\buses:.*$/gm)) t.match(line, / # v\d+\.\d+\.\d+$/)
  for (const { run } of action.runs.steps)
    if (run !== undefined) t.notMatch(run, /\$\{\{/, 'a name that a stranger chooses would be run as a script')
  t.end()
})

t.test('the GitLab job', async (t) => {
  const [header, jobs] = loadAll(readFileSync(join(ROOT, '.gitlab/check.yml'), 'utf8')) as [
    { spec: { inputs: Readonly<Record<string, Input>> } },
    { hitless: Job }
  ]
  const sources = join(folder, 'sources')
  for (const path of SOURCES) cpSync(join(ROOT, path), join(sources, path), { recursive: true })
  commitAll(sources)
  const inputs: Record<string, string | undefined> = {
    paths: 'mesh',
    repository: `file://${sources}`,
    commit: git(sources, 'rev-parse', 'HEAD')
  }
  const filled = (text: string) =>
    text.replace(/\$\[\[ inputs\.(\w+) \]\]/g, (_, key: string) => inputs[key] ?? header.spec.inputs[key]?.default ?? '')
  const run = (cwd: string, base: string) => {
    const variables = Object.entries(jobs.hitless.variables).map(([key, value]) => `${key}=${filled(value)}`)
    const given = [`TMPDIR=${TEMP}`, `CI_MERGE_REQUEST_DIFF_BASE_SHA=${base}`, ...variables]
    const script = filled(jobs.hitless.script.join('\n'))
    return spawned(['-i', ...environment(), ...given, 'bash', '-eo', 'pipefail', '-c', script], cwd)
  }
  const bad = checkout('gitlab', '03-weight-10')
  const another = join(folder, 'another')
  writeFileSync(another, "not the job's")
  symlinkSync(another, join(bad.cwd, 'hitless.md'))
  const { status, stdout, stderr } = await run(bad.cwd, bad.base)
  t.equal(status, 1, `${stdout}${stderr}`)
  t.match(stdout, /^mesh\/virtual-service\.yaml:\d+:\d+: deny \[undefined-subset\]/m)
  t.match(readFileSync(join(bad.cwd, 'hitless.xml'), 'utf8'), '<failure')
  t.match(readFileSync(join(bad.cwd, 'hitless.md'), 'utf8'), '1 of 4 writes would be denied')
  t.equal(readFileSync(another, 'utf8'), "not the job's", 'a link that the branch brings leads nowhere')
  const good = checkout('gitlab-good', '01-subset-v2')
  t.equal((await run(good.cwd, good.base)).status, 0)
})

t.test('pre-commit installs the hook, and judges what is to be committed', async (t) => {
  const { cwd } = checkout('hook', '01-subset-v2')
  const hooks = hooksRepository()
  const configuration = { repos: [{ repo: hooks, rev: git(hooks, 'rev-parse', 'HEAD'), hooks: [{ id: 'hitless', args: ['mesh'] }] }] }
  writeFileSync(join(cwd, '.pre-commit-config.yaml'), JSON.stringify(configuration))
  const packages = await installPreCommit()
  // Of two Nodes pre-commit takes the one that has Debian's name.
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  for (const name of ['node', 'nodejs']) symlinkSync(process.execPath, join(bin, name))
  const paths = [`PATH=${bin}${delimiter}${process.env['PATH']}`, `PYTHONPATH=${packages}`, `PRE_COMMIT_HOME=${join(folder, 'pre-commit')}`]
  const run = () => {
    git(cwd, 'add', '.')
    return spawned(['-i', ...environment(), ...paths, 'python3', '-m', 'pre_commit', 'run', '--verbose'], cwd)
  }
  const change = (step: string, file: string) => cpSync(join(ROOT, 'examples/helloworld/release', step, file), join(cwd, 'mesh', file))
  change('03-weight-10', 'virtual-service.yaml')
  const bad = await run()
  t.equal(bad.status, 1, `${bad.stdout}${bad.stderr}`)
  t.match(bad.stdout, /mesh\/virtual-service\.yaml:\d+:\d+: deny \[unready-destination\]/)
  change('02-deployment-v2', 'deployment-v2.yaml')
  const good = await run()
  t.equal(good.status, 0, `${good.stdout}${good.stderr}`)
  t.match(good.stdout, /^5 writes: 0 would be denied/m)
})

/** This repository as it is once npm has built it: pre-commit has npm build what it installs, which `npm pack` has done here already. */
function hooksRepository(): string {
  const repository = join(folder, 'hooks')
  mkdirSync(repository)
  execFileSync('tar', ['-xzf', PACKAGE, '--strip-components=1', '-C', repository])
  const {
    scripts: _,
    devDependencies: _d,
    ...built
  } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>
  writeFileSync(join(repository, 'package.json'), JSON.stringify(built))
  cpSync(join(ROOT, '.pre-commit-hooks.yaml'), join(repository, '.pre-commit-hooks.yaml'))
  commitAll(repository)
  return repository
}

function commitAll(repository: string): void {
  git(repository, 'init', '-q', '-b', 'main')
  git(repository, 'config', 'uploadpack.allowAnySHA1InWant', 'true')
  git(repository, 'add', '.')
  git(repository, 'commit', '-qm', 'all')
}
