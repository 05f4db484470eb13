/** The examples do what their pages say: their commands on real Helm and kustomize, their Jobs on a real kube-apiserver. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadAll } from 'js-yaml'
import t from 'tap'
import { kindModule, WATCHED_KINDS } from '../../src/kinds/index.ts'
import { installBinaries, installHelm, installKustomize } from '../rig/binaries.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { chartPods } from './pods.ts'

t.setTimeout(30 * 60_000)

const ROOT = join(import.meta.dirname, '../..')
const EXAMPLES = join(ROOT, 'examples')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly [field: string]: unknown
}

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const containers = chartPods()
t.teardown(() => containers.close())
// The Pods of Jobs are run; those of the mesh are only said to be Ready.
const plane = await startControlPlane({ containers: { ...containers, start: async () => undefined } })
t.teardown(() => plane.stop())
containers.attach(plane)

/** A shell in which the commands of the pages are found, as whoever may do everything. */
const BIN = join(plane.directory, 'bin')
mkdirSync(BIN)
writeFileSync(join(BIN, 'hitless'), `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'src/main.ts')}" "$@"\n`, { mode: 0o755 })
symlinkSync(await installKustomize(), join(BIN, 'kustomize'))
symlinkSync(await installHelm(), join(BIN, 'helm'))
symlinkSync((await installBinaries()).kubectl, join(BIN, 'kubectl'))

function shell(command: string, cwd: string): Promise<Outcome> {
  const env = {
    PATH: `${BIN}:${process.env['PATH']}`,
    HOME: plane.directory,
    KUBECONFIG: plane.kubeconfig,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org'
  }
  return new Promise((resolve) => {
    execFile('bash', ['-ec', command], { cwd, env, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
  })
}

async function done(command: string, cwd = ROOT): Promise<string> {
  const { code, stdout, stderr } = await shell(command, cwd)
  if (code !== 0) throw new Error(`${command}: ${stdout}${stderr}`)
  return stdout
}

/** The indented command lines of a page. */
function commandsOf(page: string): string[] {
  return readFileSync(join(ROOT, page), 'utf8')
    .split('\n')
    .flatMap((line) => (/^ {4}\S/.test(line) ? [line.trim()] : []))
}

async function applied(manifests: readonly unknown[]): Promise<void> {
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n')
  const { code, stderr } = await plane.kubectl(['apply', '-f', '-'], { input })
  if (code !== 0) throw new Error(stderr)
}

function wave({ metadata }: Manifest): number {
  return Number(metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? 0)
}

/** Whether the Job ended well. Rejects where it does not end. */
async function ended(job: string): Promise<boolean> {
  for (let asked = 0; asked < 600; asked++) {
    const shown = await done(`kubectl get job ${job} -n shop -o 'jsonpath={.status.conditions[?(@.status=="True")].type}'`)
    if (shown.includes('Complete')) return true
    if (shown.includes('Failed')) return false
    await sleep(100)
  }
  throw new Error(`${job} does not end: ${containers.log()}`)
}

/** A copy of an example in which one text of one file is another. */
function changed(folder: string, file: string, from: string, to: string): string {
  const copy = t.testdir()
  cpSync(join(EXAMPLES, folder), join(copy, folder), { recursive: true })
  const path = join(copy, folder, file)
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to))
  return join(copy, folder)
}

await applied(['shop', 'prod', 'istio-system'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })))
await applied(load('access.yaml'))

t.test('every example has a page, and the pages name no file that is not there', (t) => {
  const page = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
  for (const folder of globSync('*/README.md', { cwd: EXAMPLES })) t.match(page, `(${folder.slice(0, -'/README.md'.length)})`)
  const paths = load(join('flux', 'kustomizations.yaml')).map(({ spec }) => (spec as { path: string }).path)
  for (const path of paths) t.ok(existsSync(join(ROOT, path, 'kustomization.yaml')), path)
  t.end()
})

function load(path: string): Manifest[] {
  return loadAll(readFileSync(join(EXAMPLES, path), 'utf8')) as Manifest[]
}

t.test('the Jobs may read what hitless follows, and nothing else', (t) => {
  const objects = load('access.yaml')
  const rulesOf = (kind: string) =>
    objects.find((object) => object.kind === kind)?.['rules'] as {
      apiGroups: string[]
      resources: string[]
      resourceNames?: string[]
      verbs: string[]
    }[]
  // The settings of the mesh are in one ConfigMap of the root namespace.
  const followed = WATCHED_KINDS.filter((kind) => kind !== 'MeshConfig').map((kind) => kindModule(kind).api)
  const granted = rulesOf('ClusterRole').flatMap(({ apiGroups: [group = ''], resources }) =>
    resources.map((plural) => `${group}/${plural}`)
  )
  t.strictSame(granted.sort(), followed.map(({ group, plural }) => `${group}/${plural}`).sort())
  t.match(rulesOf('Role'), [{ resources: ['configmaps'], resourceNames: ['istio'] }])
  for (const { verbs } of [...rulesOf('ClusterRole'), ...rulesOf('Role')]) t.strictSame(verbs, ['get', 'list', 'watch'])
  t.end()
})

t.test('Argo CD: the hooks first, by their waves; the sync only where they end well', async (t) => {
  const sync = async (folder: string): Promise<boolean> => {
    const objects = loadAll(await done(`kustomize build ${folder}`)) as Manifest[]
    const isHook = ({ metadata }: Manifest) => metadata.annotations?.['argocd.argoproj.io/hook'] === 'PreSync'
    const jobs = objects.filter(({ kind }) => kind === 'Job')
    t.ok(jobs.every(isHook))
    await done('kubectl delete job -n shop --all --wait')
    for (const hook of objects.filter(isHook).sort((one, other) => wave(one) - wave(other))) await applied([hook])
    const good = await ended('hitless-check')
    if (good) await applied(objects.filter((object) => !isHook(object)))
    return good
  }
  t.equal(await sync(join(EXAMPLES, 'argo-cd')), true, containers.log())
  await done('kubectl rollout status deployment -n shop --timeout=60s')
  const before = containers.log().length
  t.equal(await sync(changed('argo-cd', 'virtual-service.yaml', 'subset: v1', 'subset: v2')), false)
  t.match(containers.log().slice(before), /virtual-service\.yaml:\d+:\d+: deny \[undefined-subset\]/)
  t.match(await done('kubectl get virtualservice -n shop -o yaml'), 'subset: v1', 'nothing was written')
})

t.test('Flux: the Job before what depends on it; another manifest is another Job', async (t) => {
  const build = (folder: string) => done(`kustomize build --load-restrictor LoadRestrictionsNone ${folder}`)
  const checked = async (folder: string): Promise<boolean> => {
    // `force` replaces what cannot be changed.
    await done('kubectl delete job -n shop --all --wait')
    await applied(loadAll(await build(join(folder, 'check'))))
    return ended('hitless-check')
  }
  t.equal(await checked(join(EXAMPLES, 'flux')), true, containers.log())
  await applied(loadAll(await build(join(EXAMPLES, 'flux/mesh'))))
  const bad = changed('flux', 'mesh/virtual-service.yaml', 'subset: v1', 'subset: v2')
  t.equal(await checked(bad), false)
  const configMapOf = async (folder: string) => (await build(join(folder, 'check'))).match(/hitless-check-\w+/)?.[0]
  t.not(await configMapOf(bad), await configMapOf(join(EXAMPLES, 'flux')))
})

t.test('kustomize: the commands of the page', async (t) => {
  const [worktree = '', before = '', onFiles = '', onCluster = ''] = commandsOf('examples/kustomize/README.md')
  const folder = t.testdir()
  cpSync(join(EXAMPLES, 'kustomize'), join(folder, 'repository/examples/kustomize'), { recursive: true })
  const run = (command: string) => shell(command.replaceAll('/tmp/', `${folder}/`), join(folder, 'repository'))
  const good = async (command: string) => {
    const { code, stdout, stderr } = await run(command)
    t.equal(code, 0, `${command}: ${stdout}${stderr}`)
    return stdout
  }
  await good('git init -q . && git add . && git commit -qm first && git update-ref refs/remotes/origin/main HEAD')
  await good(worktree)
  await good(before)
  t.match(await good(onFiles), '4 writes: 0 would be denied')
  t.match(await good(onCluster), '4 writes: 0 would be denied')
  const route = join(folder, 'repository/examples/kustomize/base/virtual-service.yaml')
  writeFileSync(route, readFileSync(route, 'utf8').replace('subset: v1', 'subset: v2'))
  t.match(await run(onFiles), { code: 1, stdout: /deny \[undefined-subset\]/ })
  await good('kustomize build examples/kustomize/overlays/prod > /tmp/after.yaml')
  t.match(await run('hitless plan --from /tmp/before.yaml --to /tmp/after.yaml'), {
    code: 1,
    stdout: 'define the subset in the DestinationRule of the state to'
  })
  t.match(await good('kubectl kustomize examples/kustomize/overlays/prod'), 'namespace: prod')
})

t.test('Helm: an upgrade that would be denied ends before its first write', async (t) => {
  const [install = '', upgrade = ''] = commandsOf('examples/helm/README.md')
  const folder = t.testdir()
  cpSync(join(EXAMPLES, 'helm'), join(folder, 'examples/helm'), { recursive: true })
  mkdirSync(join(folder, 'chart/templates'), { recursive: true })
  writeFileSync(join(folder, 'chart/Chart.yaml'), 'apiVersion: v2\nname: shop\nversion: 1.0.0\n')
  for (const file of ['service', 'deployment', 'destination-rule', 'virtual-service']) {
    const text = readFileSync(join(EXAMPLES, 'kustomize/base', `${file}.yaml`), 'utf8')
    writeFileSync(
      join(folder, 'chart/templates', `${file}.yaml`),
      text.replace('subset: v1', 'subset: {{ .Values.subset | default "v1" }}')
    )
  }
  await done(install, folder)
  await done(upgrade, folder)
  await done('kubectl rollout status deployment -n prod --timeout=60s')
  t.match(await done('helm list --namespace prod'), /shop\s+prod\s+1\s.*deployed/)
  // Through a pipe of the shell, as in a terminal and in CI: Node's own are sockets, which nobody else can open.
  const refused = await shell(`set -o pipefail; ${upgrade} --set subset=v2 2>&1 | cat`, folder)
  t.not(refused.code, 0)
  t.match(refused.stdout, /<stdin>:\d+:\d+: deny \[undefined-subset\]/)
  t.match(await done('helm list --namespace prod'), /shop\s+prod\s+1\s.*deployed/, 'no second revision')
  t.match(await done('kubectl get virtualservice -n prod -o yaml'), 'subset: v1')
  const strict = await shell(`${upgrade} --post-renderer-args --strict-ready`, folder)
  t.equal(strict.code, 0, strict.stderr)
})
