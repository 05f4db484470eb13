/** The forms in which a plan is written to a folder: a folder a step, Argo CD's waves, Flux' Kustomizations. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { dump } from 'js-yaml'
import { HitlessError } from '../errors.ts'
import { isRecord } from '../kinds/fields.ts'
import { formatRef, type ObjectRef, refKey } from '../kinds/index.ts'
import type { Manifest } from '../manifests/manifests.ts'
import type { Sequence } from '../sandbox/planner.ts'

type Raw = Readonly<Record<string, unknown>>

const WAVE = 'argocd.argoproj.io/sync-wave'
const LONGEST_NAME = 200

type Files = readonly (readonly [name: string, manifest: Raw])[]

/** A folder a step; what is to be deleted stands in a folder below, where an apply of the step does not see it. */
export function foldersOf({ steps }: Sequence): Files {
  const digits = Math.max(2, String(steps.length).length)
  return steps.flatMap(({ writes }, at) => {
    const step = String(at + 1).padStart(digits, '0')
    return writes.map(({ operation, ref, manifest }) => {
      return operation === 'delete'
        ? ([join(step, 'delete', fileOf(ref)), nameOnly(manifest)] as const)
        : ([join(step, fileOf(ref)), manifest] as const)
    })
  })
}

/** What `kubectl delete -f` needs. */
function nameOnly({ apiVersion, kind, metadata }: Raw): Raw {
  const { name, namespace } = isRecord(metadata) ? metadata : {}
  return { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace } }
}

/** Names that the API server would refuse must not lead out of the folder, and no name may be longer than a file system takes. */
function fileOf({ kind, namespace, name }: ObjectRef): string {
  const words = [kind.toLowerCase(), namespace, name].filter(Boolean).join('-')
  return `${words.replaceAll(/[^\w.-]/g, '_').slice(0, LONGEST_NAME)}.yaml`
}

/** The names of two objects can make one file name, as those of `a-b/c` and `a/b-c` do: the later one is numbered. Some file systems know no case. */
function distinct(files: Files): Files {
  const taken = new Set<string>()
  return files.map(([name, manifest]) => {
    let free = name
    for (let number = 2; taken.has(free.toLowerCase()); number++) free = name.replace(/\.yaml$/, `-${number}.yaml`)
    taken.add(free.toLowerCase())
    return [free, manifest]
  })
}

/** Into a folder that is not there or empty: nothing is lost. */
export function writeFiles(folder: string, given: Files): void {
  const files = distinct(given)
  try {
    mkdirSync(folder, { recursive: true })
    if (readdirSync(folder).length > 0) throw new HitlessError('HITLESS_USAGE', `${folder} is not empty`)
    for (const [name, manifest] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), dump(manifest, { noRefs: true }), { flag: 'wx' })
    }
  } catch (cause) {
    if (cause instanceof HitlessError) throw cause
    throw new HitlessError('HITLESS_UNREADABLE', `${folder}: cannot be written`, { cause })
  }
}

/** The target for Argo CD, each object that is written in the wave of its step. Throws where one sync cannot do it. */
export function wavesOf(sequence: Sequence, to: readonly Manifest[]): Files {
  const waves = wavesByKey(sequence)
  return to.flatMap(({ raw, object }) => {
    if (object === null) return []
    const wave = waves.get(refKey(object))
    return [[fileOf(object), wave === undefined ? raw : annotated(raw, String(wave))] as const]
  })
}

function annotated(raw: Raw, wave: string): Raw {
  const metadata = isRecord(raw['metadata']) ? raw['metadata'] : {}
  const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {}
  return { ...raw, metadata: { ...metadata, annotations: { ...annotations, [WAVE]: wave } } }
}

/**
 * The target for Flux: a folder a step, what is not written in the first of them, and a Kustomization for each that waits until the one before is Ready.
 * `path` is where the repository has the folder. Throws where one commit cannot do it.
 */
export function fluxOf(sequence: Sequence, to: readonly Manifest[], path: string): Files {
  const waves = wavesByKey(sequence)
  const digits = Math.max(2, String(sequence.steps.length).length)
  const folderOf = (wave: number) => String(wave + 1).padStart(digits, '0')
  const written = [...new Set(waves.values())].sort((one, other) => one - other)
  const [first = 0] = written
  const used = written.length === 0 ? [first] : written
  const files = to.flatMap(({ raw, object }) => {
    return object === null ? [] : [[join(folderOf(waves.get(refKey(object)) ?? first), fileOf(object)), raw] as const]
  })
  const kustomizations = used.map((wave, at) => {
    const before = used[at - 1]
    const dependsOn = before === undefined ? {} : { dependsOn: [{ name: `step-${folderOf(before)}` }] }
    return [`step-${folderOf(wave)}.yaml`, kustomization(`step-${folderOf(wave)}`, `./${join(path, folderOf(wave))}`, dependsOn)] as const
  })
  return [...files, ...kustomizations]
}

/** `prune` is off: an object that moves to another step would be deleted and made anew. */
function kustomization(name: string, path: string, dependsOn: Raw): Raw {
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'flux-system' },
    spec: { ...dependsOn, path, sourceRef: { kind: 'GitRepository', name: 'flux-system' }, interval: '10m', prune: false, wait: true }
  }
}

/** The step in which an object is written. Throws where that is more than one. */
function wavesByKey({ steps }: Sequence): ReadonlyMap<string, number> {
  const twice = steps.flatMap(({ writes }) => writes).find(({ forNow }) => forNow !== null)
  if (twice !== undefined) {
    throw new HitlessError(
      'HITLESS_USAGE',
      `${formatRef(twice.ref)} is written more than once, which one sync cannot do: write folders, and commit them one after another`
    )
  }
  return new Map(
    steps.flatMap(({ writes }, at) => writes.filter(({ operation }) => operation === 'apply').map(({ ref }) => [refKey(ref), at] as const))
  )
}
