/**
 * Every refusal as a Kubernetes Status with a stable code: the API server shows the message of a Status to the user, and of anything
 * else only "unknown" (`Result.Error`, client-go rest/request.go).
 */
import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, RawServerBase } from 'fastify'
import { HitlessError } from '../errors.ts'
import { line } from '../review/message.ts'
import type { Metrics } from './metrics.ts'

/** Makes `app` answer what it cannot serve with a coded error, and log what went wrong on our side. */
export function refusals<S extends RawServerBase>(app: FastifyInstance<S>, metrics: Metrics): void {
  app.setErrorHandler((error: FastifyError | HitlessError, request, reply) => {
    const coded = codedError(error)
    metrics.failed(coded.code)
    if (coded.http >= 500 && coded.code !== 'HITLESS_BUSY') request.log.error({ err: coded }, 'not answered')
    if (coded.code === 'HITLESS_METHOD') reply.header('allow', 'POST')
    // The API server asks again after so many seconds, within its own deadline (client-go rest/with_retry.go); then failurePolicy decides.
    if (coded.code === 'HITLESS_BUSY') reply.header('retry-after', '1')
    // What was not read of it would have to be read before the next request.
    if (hasUnread(request.raw.complete, request.headers)) reply.header('connection', 'close')
    return reply.code(coded.http).send(statusOf(coded))
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const code = app.hasRoute({ method: 'POST', url: path }) ? 'HITLESS_METHOD' : 'HITLESS_NOT_FOUND'
    const asked = `${request.method} ${path.slice(0, 200)}`
    const text = code === 'HITLESS_METHOD' ? `${asked}: reviews are sent by POST` : `there is nothing at ${asked}`
    reply.send(new HitlessError(code, text))
  })
}

/** The answer to bytes that never became a request; the connection ends with it. One that never became TLS just ends. */
export function refuseBytes({ code = '' }: { readonly code?: string }, socket: Socket, metrics: Metrics): void {
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') metrics.failed('HITLESS_CLIENT')
  const late = code === 'ERR_HTTP_REQUEST_TIMEOUT'
  if (!socket.writable || !(late || code.startsWith('HPE_'))) return void socket.destroy()
  const coded = late
    ? new HitlessError('HITLESS_TOO_SLOW', 'the request did not arrive in time')
    : new HitlessError('HITLESS_BAD_REQUEST', 'this is no HTTP request')
  metrics.failed(coded.code)
  const body = JSON.stringify(statusOf(coded))
  const head = `HTTP/1.1 ${coded.http} ${STATUS_CODES[coded.http]}\r\ncontent-type: application/json\r\n`
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}

function hasUnread(complete: boolean, headers: IncomingHttpHeaders): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
}

function codedError(error: FastifyError | HitlessError): HitlessError {
  if (error instanceof HitlessError) return error
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HitlessError('HITLESS_CONTENT_TYPE', 'expected content type application/json')
    default:
      return error.statusCode !== undefined && error.statusCode < 500
        ? new HitlessError('HITLESS_BAD_REQUEST', error.message)
        : new HitlessError('HITLESS_NOT_JUDGED', 'the review could not be judged', { cause: error })
  }
}

function statusOf({ code, http, message }: HitlessError) {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: line(`hitless: ${message}`, ` [${code}]`),
    reason: code,
    code: http
  }
}
