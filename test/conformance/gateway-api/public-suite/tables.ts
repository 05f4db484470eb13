/** What the tests of the public conformance suite ask and want, as tables for `hitless ask --expect`. */
import type { ExpectedAnswer, RequestFields } from '../../../../src/manifests/expected-requests.ts'

/** A test of the suite, as the recorder saw it. */
export interface Recorded {
  readonly test: string
  readonly description: string
  /** Beside those of the base: paths within the suite. */
  readonly manifests: readonly string[] | null
  readonly requests: readonly Asked[]
  /** It asked the cluster for more than requests, so that some of its own may be missing. */
  readonly failed: boolean
}

interface Asked {
  /** Of the subtest. */
  readonly name: string
  /** `namespace/name:port` of a Gateway; of the mesh, the client's namespace. */
  readonly address: string
  /** `http`, `http fails`, `https`, `https fails`, `grpc /service/method`, `tls`, `tls closed`, `tcp`, `tcp once`, `mesh`. */
  readonly how: string
  /** Of the mesh, the labels of the client. */
  readonly serverName: string
  readonly wanted: Wanted | null
  /** The ReferenceGrants that are there at that moment. */
  readonly grants: readonly string[] | null
  /** Shares by name of the workload. */
  readonly weights?: Readonly<Record<string, number>>
}

/** The fields of the suite's ExpectedResponse, of whichever protocol, that say what a request gets. */
interface Wanted {
  readonly Request?: {
    readonly Host: string
    readonly Method: string
    readonly Path: string
    readonly Headers: Record<string, string> | null
    readonly Protocol: string
  }
  readonly RequestMetadata?: { readonly Authority: string; readonly Metadata: Record<string, string> | null } | null
  readonly Response?: { readonly StatusCodes?: readonly number[]; readonly Code?: number }
  readonly Backend: string
  readonly Namespace: string
}

export interface Table {
  readonly test: string
  readonly description: string
  readonly manifests: readonly string[]
  /** ReferenceGrants that the test has taken away before it asks. */
  readonly without?: readonly string[]
  readonly requests: readonly Request[]
}

type Request = RequestFields & { readonly name: string; readonly expect: ExpectedAnswer }

/** One for each state in which a test asks. */
export function tablesOf({ test, description, manifests, requests }: Recorded): Table[] {
  const all = new Set(requests.flatMap(({ grants }) => grants ?? []))
  const states = Map.groupBy(requests, ({ grants }) => [...all].filter((grant) => !grants?.includes(grant)).join())
  return [...states].map(([gone, asked]) => ({
    test,
    description,
    manifests: manifests ?? [],
    ...(gone === '' ? {} : { without: gone.split(',') }),
    requests: unique(asked.map(requestOf))
  }))
}

/** Subtests run side by side and ask again; what a test adds to tell its requests apart is no part of them. */
function unique(requests: readonly Request[]): Request[] {
  const sorted = [...requests].sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }))
  return [...new Map(sorted.toReversed().map((request) => [JSON.stringify({ ...request, name: '' }), request])).values()].toReversed()
}

function requestOf(asked: Asked): Request {
  const { name, how, address, serverName, wanted } = asked
  const named = { name: name.split('/').slice(2).join('/').replaceAll('_', ' ') || how }
  if (how === 'mesh') return { ...named, ...ofMesh(address, serverName, wanted), expect: expectOf(asked) }
  // Some tests put a port behind an address that has one.
  const [, gateway = '', port = ''] = /^\[?([^:\]]+).*:(\d+)$/.exec(address) ?? []
  const at = { gateway, port: Number(port) }
  if (how.startsWith('tcp') || how.startsWith('tls')) {
    return {
      ...named,
      ...at,
      host: serverName || ADDRESS,
      tcp: true,
      ...(serverName === '' ? {} : { sni: serverName }),
      expect: expectOf(asked)
    }
  }
  if (how.startsWith('grpc ')) return { ...named, ...at, ...ofCall(how.slice('grpc '.length), wanted), expect: expectOf(asked) }
  return { ...named, ...at, ...ofHttp(wanted), ...(how.startsWith('https') ? { sni: serverName } : {}), expect: expectOf(asked) }
}

/** Where a test names no host, it calls the Gateway by its address. */
const ADDRESS = '192.0.2.1'
/** What the workload of the mesh serves. */
const MESH_CALL = '/proto.EchoTestService/Echo'

function ofHttp(wanted: Wanted | null): Omit<RequestFields, 'client' | 'gateway'> {
  const { Host: host = '', Method: method = 'GET', Path: path = '', Headers: headers = null } = wanted?.Request ?? {}
  return {
    host: host.replace(/:\d+$/, '') || ADDRESS,
    path: path.replace(/[?&]gateway-api-conformance-request-id=[^&]*/, '') || '/',
    ...(method === 'GET' ? {} : { method }),
    ...(headers === null ? {} : { headers })
  }
}

function ofCall(path: string, wanted: Wanted | null): Omit<RequestFields, 'client' | 'gateway'> {
  const { Authority: host = '', Metadata: headers = null } = wanted?.RequestMetadata ?? {}
  return { host: host || ADDRESS, path, method: 'POST', headers: { 'content-type': 'application/grpc', ...headers } }
}

function ofMesh(namespace: string, labels: string, wanted: Wanted | null): RequestFields {
  const [, host = 'echo', port = '80'] = /^([^:]*):?(\d*)$/.exec(wanted?.Request?.Host || 'echo') ?? []
  const fields = {
    ...ofHttp(wanted),
    client: `${namespace}{${labels}}`,
    host: host.includes('.') ? host : `${host}.${namespace}`,
    port: Number(port || 80)
  }
  if (wanted?.Request?.Protocol !== 'grpc') return fields
  return { ...fields, path: MESH_CALL, method: 'POST', headers: { 'content-type': 'application/grpc' } }
}

/** The Services of this test are not called as the workload, by which the suite tells who answered. */
const OF_ANOTHER_NAME = 'HTTPRouteServiceTypes'
/** gRPC's names for what Envoy answers itself. */
const STATUS_OF_CODE: Readonly<Record<number, number>> = { 0: 200, 12: 404, 14: 503 }

function expectOf({ name, how, wanted, weights, address }: Asked): ExpectedAnswer {
  if (how === 'tls closed') return { status: 'closed' }
  if (how.endsWith('fails')) return { answered: 0 }
  if (how === 'tcp once') return { answered: 1 }
  const namespace = wanted?.Namespace || (how === 'mesh' ? (/^[^.:]+\.([^.:]+)/.exec(wanted?.Request?.Host ?? '')?.[1] ?? address) : '')
  const host = (name: string) => `${name}.${namespace}.svc.cluster.local`
  if (weights !== undefined) return { to: Object.entries(weights).map(([name, share]) => ({ host: host(name), share })) }
  const backend = wanted?.Backend ?? ''
  const to = backend === '' || namespace === '' || name.includes(OF_ANOTHER_NAME) ? {} : { to: [{ host: host(backend), share: 1 }] }
  const { Code: code, StatusCodes: codes = [200] } = wanted?.Response ?? {}
  if (code !== undefined) return { status: STATUS_OF_CODE[code] ?? `gRPC ${code}`, ...(code === 0 ? to : {}) }
  const [status = 200, ...others] = codes
  return { ...(others.length === 0 ? { status: status === 0 ? 200 : status } : { answered: 1 }), ...(status < 300 ? to : {}) }
}
