/** Manifests with one field changed, taken out or added. */
import type { Manifest } from '../manifests.ts'

export interface Mutant {
  /** `spec.ports[].port: 81`, `spec.selector.app gone`. */
  readonly what: string
  readonly manifest: Manifest
}

/** Other values that a field may have, by its name; strings get a letter more, numbers one more, and booleans turn. */
const OTHERS: Readonly<Record<string, readonly unknown[]>> = {
  protocol: ['TCP', 'HTTP', 'HTTPS', 'TLS', 'UDP'],
  mode: ['PASSTHROUGH', 'SIMPLE', 'REGISTRY_ONLY', 'ALLOW_ANY', 'DISABLE', 'PERMISSIVE', 'STRICT', 'ISTIO_MUTUAL'],
  resolution: ['NONE', 'STATIC', 'DNS'],
  location: ['MESH_EXTERNAL', 'MESH_INTERNAL'],
  replicas: [0, 1, 5],
  readyReplicas: [],
  availableReplicas: [],
  weight: [0, 1, 50],
  credentialName: [],
  image: ['example/other']
}

/** Fields that an object of the kind may have. */
const ADDED: Readonly<Record<string, readonly (readonly [path: readonly string[], value: unknown])[]>> = {
  VirtualService: [
    [['spec', 'exportTo'], ['.']],
    [['spec', 'exportTo'], ['*']],
    [['spec', 'gateways'], ['mesh']],
    [['spec', 'gateways'], ['nowhere']]
  ],
  DestinationRule: [
    [['spec', 'exportTo'], ['.']],
    [['spec', 'trafficPolicy'], { connectionPool: { tcp: { maxConnections: 10 } } }],
    [['spec', 'workloadSelector'], { matchLabels: { app: 'nobody' } }]
  ],
  Service: [
    [['metadata', 'annotations'], { 'networking.istio.io/exportTo': '.' }],
    [['metadata', 'annotations'], { 'networking.istio.io/exportTo': '*' }],
    [['metadata', 'labels'], { any: 'label' }],
    [['spec', 'publishNotReadyAddresses'], true],
    [['spec', 'sessionAffinity'], 'ClientIP']
  ],
  ServiceEntry: [
    [['spec', 'exportTo'], ['.']],
    [['spec', 'workloadSelector'], { labels: { app: 'nobody' } }]
  ],
  Gateway: [[['spec', 'selector', 'another'], 'label']],
  Sidecar: [[['spec', 'outboundTrafficPolicy'], { mode: 'REGISTRY_ONLY' }]],
  Deployment: [
    [['spec', 'template', 'metadata', 'labels', 'another'], 'label'],
    [['spec', 'paused'], true]
  ]
}

/** Every manifest that differs from this one in one field. */
export function mutantsOf(manifest: Manifest): Mutant[] {
  const { spec } = manifest
  const changed = [...changes(spec, ['spec'])].map(({ path, what, value }) => ({ what, manifest: withValue(manifest, path, value) }))
  const added = (ADDED[manifest.kind] ?? []).map(([path, value]) => ({
    what: `${path.join('.')} added: ${JSON.stringify(value)}`,
    manifest: withValue(manifest, path, value)
  }))
  return [...changed, ...added]
}

type Path = readonly (string | number)[]

interface Change {
  readonly path: Path
  readonly what: string
  /** undefined takes the field out. */
  readonly value: unknown
}

function* changes(value: unknown, path: Path): Iterable<Change> {
  const name = path.map((step) => (typeof step === 'number' ? '[]' : step)).join('.')
  if (path.length > 1) yield { path, what: `${name} gone`, value: undefined }
  if (Array.isArray(value)) {
    for (const [at, each] of value.entries()) yield* changes(each, [...path, at])
    if (value.length > 1) yield { path, what: `${name} turned round`, value: value.toReversed() }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) yield* changes(each, [...path, key])
  } else for (const other of othersOf(path, value)) yield { path, what: `${name}: ${JSON.stringify(other)}`, value: other }
}

function othersOf(path: Path, value: unknown): readonly unknown[] {
  const known = OTHERS[String(path.at(-1))]
  if (known !== undefined) return known.filter((other) => other !== value)
  if (typeof value === 'string') return [`${value}x`]
  if (typeof value === 'number') return [value + 1]
  return typeof value === 'boolean' ? [!value] : []
}

function withValue(manifest: Manifest, path: Path, value: unknown): Manifest {
  const copy = structuredClone(manifest)
  let parent: unknown = copy
  for (const step of path.slice(0, -1)) {
    const holder = parent as Record<string | number, unknown>
    if (holder[step] === undefined) holder[step] = {}
    parent = holder[step]
  }
  const last = path.at(-1) ?? ''
  if (Array.isArray(parent) && value === undefined) parent.splice(Number(last), 1)
  else if (value === undefined) delete (parent as Record<string, unknown>)[last]
  else (parent as Record<string | number, unknown>)[last] = value
  return copy
}
