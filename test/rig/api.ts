import { createInterface } from 'node:readline'
import { Agent, type Dispatcher, request } from 'undici'

/** The part of a Kubernetes object that every kind has, and the rest unread. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly deletionTimestamp?: string
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

export interface ApiRequest {
  readonly body?: unknown
  /** Defaults to `application/json`; a PATCH names its own. */
  readonly contentType?: string
  /** The user to act as, as `kubectl --as` does. */
  readonly as?: string
  readonly userAgent?: string
  /** Its end is a client that goes away. */
  readonly signal?: AbortSignal
}

export interface ApiAnswer<T> {
  readonly status: number
  readonly body: T
  /** Texts of the Warning headers (RFC 9110 gave them up, Kubernetes did not). */
  readonly warnings: readonly string[]
}

/** Plain requests to one API server with one identity; an answer of any status is an answer, not an error. */
export interface Api {
  request<T = KubernetesObject>(method: Dispatcher.HttpMethod, path: string, options?: ApiRequest): Promise<ApiAnswer<T>>
  /** Yields what exists and then every change, until the server ends the stream or the signal ends. */
  watch<T = KubernetesObject>(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>>
  close(): Promise<void>
}

export function connectApi({ url, ca, token }: { url: string; ca: string; token: string }): Api {
  const agent = new Agent({ connect: { ca }, allowH2: false, bodyTimeout: 0 })
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
  return {
    request: async <T>(method: Dispatcher.HttpMethod, path: string, options: ApiRequest = {}) => {
      const answer = await request(url + path, {
        dispatcher: agent,
        method,
        headers: { ...headers, ...optionalHeaders(options) },
        signal: options.signal ?? null,
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) })
      })
      const text = await answer.body.text()
      return { status: answer.statusCode, body: parse(text) as T, warnings: warnings(answer.headers['warning']) }
    },
    watch: async function* <T>(path: string, signal: AbortSignal) {
      const stream = await request(`${url}${path}${path.includes('?') ? '&' : '?'}watch=true`, { dispatcher: agent, headers, signal })
      if (stream.statusCode !== 200) throw new Error(`watch of ${path} was answered with ${stream.statusCode}: ${await stream.body.text()}`)
      for await (const line of createInterface({ input: stream.body, crlfDelay: Number.POSITIVE_INFINITY })) {
        yield JSON.parse(line) as WatchEvent<T>
      }
    },
    close: () => agent.destroy()
  }
}

function optionalHeaders({ body, contentType = 'application/json', as, userAgent }: ApiRequest): Record<string, string> {
  return {
    ...(body === undefined ? {} : { 'content-type': contentType }),
    ...(as === undefined ? {} : { 'impersonate-user': as }),
    ...(userAgent === undefined ? {} : { 'user-agent': userAgent })
  }
}

/** `/readyz` and refusals of the HTTP layer are plain text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function warnings(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().map((value) => value.replace(/^299 - "|"$/g, '').replaceAll('\\"', '"'))
}
