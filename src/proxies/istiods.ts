/** Where the replicas of istiod are, whom to trust as one, and how to show who asks: all read from the cluster by hitless' own rights. */
import { isRecord } from '../kinds/fields.ts'
import type { Connection } from '../kubernetes/connection.ts'

/** The port of istiod's Services on which its protocol is spoken with TLS, and the audience of the tokens that it takes (TOKEN_AUDIENCES). */
const PORT_NAME = 'https-dns'
const AUDIENCE = 'istio-ca'
const TOKEN_SECONDS = 3600
const TOKEN_KEPT_MS = (TOKEN_SECONDS * 1000) / 2
const ROOT_KEPT_MS = 600_000
const FOUND_KEPT_MS = 1000
const REQUEST_MS = 10_000

export interface IstiodAddress {
  readonly target: string
  readonly serverName: string
}

export interface Istiods {
  /** The replicas that take requests now, of every revision. */
  addresses(signal: AbortSignal): Promise<readonly IstiodAddress[]>
  /** PEM of the mesh's own authority. */
  root(signal: AbortSignal): Promise<string>
  token(signal: AbortSignal): Promise<string>
  /** What was read may have been replaced since. */
  forget(): void
}

export interface IstiodsOptions {
  readonly connection: Connection
  /** Istio's root namespace. */
  readonly namespace: string
  /** A ServiceAccount there. */
  readonly serviceAccount: string
  readonly nowMs: () => number
}

export function istiodsOf({ connection, namespace, serviceAccount, nowMs }: IstiodsOptions): Istiods {
  const core = `/api/v1/namespaces/${namespace}`
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
  const found = kept(nowMs, FOUND_KEPT_MS, async (signal) =>
    addressesIn(await connection.json(slices, { labelSelector: 'app=istiod' }, signal))
  )
  const root = kept(nowMs, ROOT_KEPT_MS, async (signal) =>
    rootIn(await connection.json(`${core}/configmaps/istio-ca-root-cert`, {}, signal))
  )
  const token = kept(nowMs, TOKEN_KEPT_MS, async (signal) => {
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [AUDIENCE], expirationSeconds: TOKEN_SECONDS }
    }
    return tokenIn(await connection.send('POST', `${core}/serviceaccounts/${serviceAccount}/token`, request, signal))
  })
  return {
    addresses: found.get,
    root: root.get,
    token: token.get,
    forget: () => {
      for (const each of [found, root, token]) each.forget()
    }
  }
}

/** The address of a Pod stands in a slice of each Service that selects it; a Service for a tag is none that a certificate names. */
export function addressesIn(list: unknown): IstiodAddress[] {
  const found = new Map<string, IstiodAddress>()
  for (const slice of items(list)) {
    const { metadata, ports, endpoints } = slice
    const labels = isRecord(metadata) && isRecord(metadata['labels']) ? metadata['labels'] : {}
    const service = labels['kubernetes.io/service-name']
    const port = records(ports).find(({ name }) => name === PORT_NAME)?.['port']
    if (!isRecord(metadata) || typeof service !== 'string' || typeof port !== 'number' || labels['istio.io/tag'] !== undefined) continue
    for (const { addresses, conditions } of records(endpoints)) {
      if (!Array.isArray(addresses) || typeof addresses[0] !== 'string') continue
      if (isRecord(conditions) && conditions['ready'] === false) continue
      const target = `${addresses[0].includes(':') ? `[${addresses[0]}]` : addresses[0]}:${port}`
      found.set(target, { target, serverName: `${service}.${String(metadata['namespace'])}.svc` })
    }
  }
  return [...found.values()]
}

function rootIn(configMap: unknown): string {
  const data = isRecord(configMap) ? configMap['data'] : null
  const pem = isRecord(data) ? data['root-cert.pem'] : null
  if (typeof pem !== 'string') throw new Error('the ConfigMap istio-ca-root-cert has no root-cert.pem')
  return pem
}

function tokenIn(request: unknown): string {
  const status = isRecord(request) ? request['status'] : null
  const token = isRecord(status) ? status['token'] : null
  if (typeof token !== 'string') throw new Error('the API server gave no token')
  return token
}

function items(list: unknown): Record<string, unknown>[] {
  return isRecord(list) ? records(list['items']) : []
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

/** A value that is read again when it is old; who asks meanwhile shares the reading, and may leave without ending it. */
function kept<T>(nowMs: () => number, keptMs: number, read: (signal: AbortSignal) => Promise<T>) {
  let last: { readonly value: Promise<T>; readonly atMs: number } | null = null
  const readAnew = () => {
    const reading = { value: read(AbortSignal.timeout(REQUEST_MS)), atMs: nowMs() }
    reading.value.catch(() => {
      if (last === reading) last = null
    })
    return reading
  }
  return {
    get: (signal: AbortSignal): Promise<T> => {
      if (last === null || nowMs() - last.atMs > keptMs) last = readAnew()
      return unlessAborted(last.value, signal)
    },
    forget: () => {
      last = null
    }
  }
}

async function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const left = Promise.withResolvers<never>()
  const leave = () => left.reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([value, left.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
