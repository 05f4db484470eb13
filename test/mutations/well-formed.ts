/** What the API server refuses of a changed manifest, as far as mutants meet it. */
import type { Manifest } from '../manifests.ts'

interface Ports {
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[]
  readonly clusterIP?: string
  readonly type?: string
  readonly externalName?: string
}

interface Template {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly template?: {
    readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }
    readonly spec?: {
      readonly containers?: readonly {
        readonly name?: string
        readonly image?: string
        readonly ports?: readonly { containerPort?: number }[]
      }[]
    }
  }
}

/** The API server takes `after` in place of `before`. */
export function isWellFormed(before: Manifest, after: Manifest): boolean {
  switch (after.kind) {
    case 'Service':
      return isService(after['spec'] as Ports | undefined)
    case 'Deployment':
    case 'StatefulSet':
    case 'DaemonSet':
    case 'ReplicaSet':
    case 'Rollout':
      return isOfTemplate(after['spec'] as Template | undefined) && sameSelector(before, after)
    default:
      return after['spec'] !== undefined
  }
}

function isService(spec: Ports | undefined): boolean {
  if (spec === undefined) return false
  const { ports = [], clusterIP, type, externalName } = spec
  if (type !== undefined && type !== 'ExternalName') return false
  if (type === 'ExternalName') return externalName !== undefined
  if (clusterIP !== undefined && clusterIP !== 'None') return false
  const names = ports.map(({ name }) => name ?? '')
  if (ports.length === 0 && clusterIP !== 'None') return false
  if (new Set(names).size < names.length || (names.length > 1 && names.includes(''))) return false
  return ports.every(({ port, protocol = 'TCP' }) => port !== undefined && (protocol === 'TCP' || protocol === 'UDP'))
}

function isOfTemplate(spec: Template | undefined): boolean {
  const labels = spec?.template?.metadata?.labels ?? {}
  const selector = Object.entries(spec?.selector?.matchLabels ?? {})
  const containers = spec?.template?.spec?.containers ?? []
  return (
    selector.length > 0 &&
    selector.every(([key, value]) => labels[key] === value) &&
    containers.length > 0 &&
    containers.every(
      ({ name, image, ports = [] }) =>
        name !== undefined && image !== undefined && ports.every(({ containerPort }) => containerPort !== undefined)
    )
  )
}

/** It cannot be changed. */
function sameSelector(before: Manifest, after: Manifest): boolean {
  const of = ({ spec }: Manifest) => JSON.stringify((spec as Template | undefined)?.selector)
  return of(before) === of(after)
}
