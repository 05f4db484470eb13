/** A script that the simulated API server and a real one both play: what they answer, and what their watches tell, must be the same. */
import { versionOf } from './reads.ts'
import { pathOf, type Verb } from './request.ts'

type Kind = Parameters<typeof pathOf>[0]

export type ScriptStep =
  | { readonly method: Verb; readonly path: string; readonly body?: unknown; readonly version?: 'stale' }
  /** From here on a second webhook refuses everything, or nothing. */
  | { readonly otherRefuses: boolean }
  /** From here on the namespace may have so many VirtualServices. */
  | { readonly quota: number }

export const NAMESPACE = 'agreed'

/** What the watches of the script's namespace are about. */
export const WATCHED: readonly Kind[] = ['Service', 'Deployment', 'Pod', 'DestinationRule', 'VirtualService']

export const SCRIPT: readonly ScriptStep[] = [
  { method: 'POST', path: pathOf('Namespace', null), body: manifest('Namespace', NAMESPACE) },
  create('Service', 'app', { selector: { app: 'app' }, ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }] }),
  ...workload('v1'),
  create('DestinationRule', 'app', rule('v1')),
  create('VirtualService', 'app', route({ v1: 100 })),
  // Refused: no such subset, and then none of its Pods.
  patch('VirtualService', route({ v1: 50, v2: 50 })),
  patch('DestinationRule', rule('v1', 'v2')),
  patch('VirtualService', route({ v1: 50, v2: 50 })),
  ...workload('v2'),
  patch('VirtualService', route({ v1: 50, v2: 50 })),
  // Nothing changes, nothing is stored.
  patch('VirtualService', route({ v1: 50, v2: 50 })),
  { ...patch('VirtualService', route({ v2: 100 })), path: `${pathOf('VirtualService', NAMESPACE, 'app')}?dryRun=All` },
  patch('DestinationRule', rule('v2')),
  { otherRefuses: true },
  patch('VirtualService', route({ v2: 100 })),
  patch('DestinationRule', rule('v2')),
  { otherRefuses: false },
  patch('VirtualService', route({ v2: 100 })),
  patch('DestinationRule', rule('v2')),
  scale('v1', 0),
  scale('v2', 0),
  { method: 'DELETE', path: pathOf('Deployment', NAMESPACE, 'app-v2') },
  patch('Service', { selector: { app: 'nobody' } }),
  // What is there, and what is not.
  { method: 'GET', path: pathOf('VirtualService', NAMESPACE, 'nothing') },
  { method: 'GET', path: pathOf('VirtualService', NAMESPACE, 'app') },
  create('DestinationRule', 'app', rule('v1')),
  { method: 'DELETE', path: pathOf('DestinationRule', NAMESPACE, 'nothing') },
  { ...create('Service', 'lost', { ports: [{ port: 80 }] }), path: pathOf('Service', 'nowhere') },
  // A version that is no longer.
  { ...patch('VirtualService', route({ v2: 100 })), version: 'stale' },
  {
    method: 'PUT',
    path: pathOf('VirtualService', NAMESPACE, 'app'),
    body: manifest('VirtualService', 'app', route({ v2: 100 })),
    version: 'stale'
  },
  { quota: 1 },
  create('VirtualService', 'other', { ...route({ v2: 100 }), hosts: ['other'] }),
  { quota: 5 },
  create('VirtualService', 'other', { ...route({ v2: 100 }), hosts: ['other'] }),
  { method: 'DELETE', path: pathOf('VirtualService', NAMESPACE, 'other') },
  // A Pod that has ended leaves the watch.
  { method: 'PATCH', path: `${pathOf('Pod', NAMESPACE, 'app-v1-1')}/status`, body: { status: { phase: 'Succeeded' } } },
  { method: 'DELETE', path: pathOf('VirtualService', NAMESPACE, 'app') },
  { method: 'DELETE', path: pathOf('DestinationRule', NAMESPACE, 'app') },
  { method: 'DELETE', path: pathOf('Namespace', null, NAMESPACE) },
  create('Service', 'late', { ports: [{ port: 80 }] })
]

function manifest(kind: Kind, name: string, spec?: unknown, more: object = {}): unknown {
  return { apiVersion: versionOf(kind), kind, metadata: { name, ...more }, ...(spec === undefined ? {} : { spec }) }
}

function create(kind: Kind, name: string, spec: unknown) {
  return { method: 'POST', path: pathOf(kind, NAMESPACE), body: manifest(kind, name, spec) } as const
}

function patch(kind: Kind, spec: unknown) {
  return { method: 'PATCH', path: pathOf(kind, NAMESPACE, 'app'), body: { spec } } as const
}

function scale(version: string, replicas: number) {
  return { method: 'PATCH', path: `${pathOf('Deployment', NAMESPACE, `app-${version}`)}/scale`, body: { spec: { replicas } } } as const
}

function workload(version: string): ScriptStep[] {
  const [labels, hash] = [{ app: 'app', version }, '5d8f7c9b6']
  const containers = [{ name: 'app', image: 'example/app' }]
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `app-${version}-${hash}`, uid: version, controller: true }
  const metadata = { labels: { ...labels, 'pod-template-hash': hash }, ownerReferences: [owner] }
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] }
  const [pod, path] = [`app-${version}-1`, pathOf('Pod', NAMESPACE, `app-${version}-1`)]
  return [
    create('Deployment', `app-${version}`, {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } }
    }),
    { method: 'POST', path: pathOf('Pod', NAMESPACE), body: manifest('Pod', pod, { nodeName: 'node-1', containers }, metadata) },
    { method: 'PATCH', path: `${path}/status`, body: { status } }
  ]
}

function rule(...versions: readonly string[]): unknown {
  return { host: 'app', subsets: versions.map((version) => ({ name: version, labels: { version } })) }
}

function route(weights: Readonly<Record<string, number>>): object {
  return {
    hosts: ['app'],
    http: [{ route: Object.entries(weights).map(([subset, weight]) => ({ destination: { host: 'app', subset }, weight })) }]
  }
}
