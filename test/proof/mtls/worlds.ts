/** The worlds of worlds.yaml as manifests, for the real mesh and for hitless alike. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import type { Manifest } from '../../manifests.ts'

export const NAMESPACE = 'shop'
/** Of the Service, and by each the one that the workload listens on. */
export const SERVED = [
  { port: 3000, targetPort: 8080 },
  { port: 3001, targetPort: 8081 }
] as const
/** What injection leaves on a Pod with a sidecar, by which clients know that it speaks mTLS. */
export const INJECTED = { 'security.istio.io/tlsMode': 'istio' }

/** By which a Pod asks for no sidecar. */
const NOT_INJECTED = { 'sidecar.istio.io/inject': 'false' }

type Fields = Readonly<Record<string, unknown>>

interface Peer {
  readonly namespace?: string
  readonly name?: string
  readonly mode: string
  readonly selector?: Fields
  readonly ports?: Readonly<Record<string, string>>
}

/** A traffic policy of a DestinationRule, and that of its subset `v1`, where it has one. */
interface Rule extends Fields {
  readonly subset?: Fields
}

type Part = 'route' | { readonly peer: Peer } | { readonly host?: string; readonly rule: Rule }

export interface World {
  readonly name: string
  /** The Service that is called. */
  readonly host: string
  readonly given: readonly Manifest[]
  readonly write: Manifest
  /** Statuses by the ports, before the write and after it. */
  readonly before: readonly number[]
  readonly after: readonly number[]
  /** What hitless says of the write. */
  readonly verdict: string
}

interface Written {
  readonly given: readonly Part[]
  readonly write: Part
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly verdict: string
}

export function worlds(): World[] {
  const written = load(readFileSync(join(import.meta.dirname, 'worlds.yaml'), 'utf8')) as Readonly<Record<string, Written>>
  return Object.entries(written).map(([name, { given, write, ...rest }]) => ({
    name,
    host: typeof write !== 'string' && 'host' in write ? (write.host ?? 'server') : 'server',
    given: given.map(manifestOf),
    write: manifestOf(write),
    ...rest
  }))
}

/** The Services and their workloads: one with a sidecar, one without. */
export function base(): Manifest[] {
  return ['server', 'plain'].flatMap((name) => {
    const labels = { app: name, version: 'v1', ...(name === 'server' ? INJECTED : NOT_INJECTED) }
    const ports = SERVED.map(({ port, targetPort }) => ({ name: `http-${port}`, port, targetPort }))
    const template = { metadata: { labels }, spec: { serviceAccountName: 'default', containers: [{ name: 'app', image: 'app' }] } }
    return [
      { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: NAMESPACE }, spec: { selector: { app: name }, ports } },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: NAMESPACE },
        spec: { replicas: 1, selector: { matchLabels: { app: name } }, template }
      }
    ]
  })
}

function manifestOf(part: Part): Manifest {
  if (part === 'route') {
    const spec = { hosts: ['server'], http: [{ route: [{ destination: { host: 'server', subset: 'v1' } }] }] }
    return { ...istio('networking', 'VirtualService', 'server'), spec }
  }
  if ('peer' in part) {
    const { namespace = NAMESPACE, name = 'default', mode, selector, ports } = part.peer
    const levels = Object.entries(ports ?? {}).map(([port, each]) => [port, { mode: each }])
    const spec = {
      mtls: { mode },
      ...(selector === undefined ? {} : { selector: { matchLabels: selector } }),
      ...(ports === undefined ? {} : { portLevelMtls: Object.fromEntries(levels) })
    }
    return { ...istio('security', 'PeerAuthentication', name, namespace), spec }
  }
  const { host = 'server', rule } = part
  const { subset, ...policy } = rule
  const own = { name: 'v1', labels: { version: 'v1' }, ...(Object.keys(subset ?? {}).length === 0 ? {} : { trafficPolicy: subset }) }
  const spec = {
    host,
    ...(Object.keys(policy).length === 0 ? {} : { trafficPolicy: policy }),
    ...(subset === undefined ? {} : { subsets: [own] })
  }
  return { ...istio('networking', 'DestinationRule', host), spec }
}

function istio(group: string, kind: string, name: string, namespace = NAMESPACE): Omit<Manifest, 'spec'> & Manifest {
  return { apiVersion: `${group}.istio.io/v1`, kind, metadata: { name, namespace } }
}
