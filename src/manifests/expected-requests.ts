/** A table of requests and the answers that they should get, for `hitless ask --expect` (docs/ask.md). */
import { Ajv, type ErrorObject } from 'ajv'
import { HitlessError } from '../errors.ts'
import { isRecord } from '../kinds/fields.ts'
import type { Path } from '../mesh/names/path.ts'
import { type Position, readYaml, type YamlDocument } from './documents.ts'
import { readText } from './files.ts'

/** Who asks for what. Absent: a client of the namespace `default`, port 80, or 443 with `sni`, GET and `/`. */
export interface RequestFields {
  readonly client?: string
  readonly gateway?: string
  readonly host: string
  readonly port?: number
  /** With its query. */
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly sni?: string
  readonly tcp?: boolean
}

export interface ExpectedAnswer {
  readonly status?: number | string
  /** 0..1 of such requests. */
  readonly answered?: number
  /** `namespace/name` of the VirtualService whose route takes it; `default` for Istio's own. */
  readonly virtualService?: string
  readonly to?: readonly { readonly host?: string; readonly subset?: string; readonly port?: number; readonly share?: number }[]
}

export interface ExpectedRequest extends RequestFields, Position {
  readonly name: string
  readonly expect: ExpectedAnswer
  readonly file: string
}

type Entry = RequestFields & { readonly name?: string; readonly expect: ExpectedAnswer }

const TEXT = { type: 'string', minLength: 1 }
const PORT = { type: 'integer', minimum: 1, maximum: 65535 }
const SHARE = { type: 'number', minimum: 0, maximum: 1 }

const isEntry = new Ajv({ allowUnionTypes: true }).compile<Entry>({
  type: 'object',
  required: ['host', 'expect'],
  additionalProperties: false,
  not: { required: ['client', 'gateway'] },
  properties: {
    name: TEXT,
    client: TEXT,
    gateway: TEXT,
    host: TEXT,
    port: PORT,
    path: { type: 'string', pattern: '^/' },
    method: TEXT,
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    sni: TEXT,
    tcp: { type: 'boolean' },
    expect: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: {
        status: { type: ['integer', 'string'] },
        answered: SHARE,
        virtualService: TEXT,
        to: {
          type: 'array',
          items: {
            type: 'object',
            additionalProperties: false,
            minProperties: 1,
            properties: { host: TEXT, subset: { type: 'string' }, port: PORT, share: SHARE }
          }
        }
      }
    }
  }
})

/** Every request of a file, and an error with its place for each entry that is none. Throws where the file cannot be read. */
export function readExpectedRequests(file: string): { requests: ExpectedRequest[]; errors: HitlessError[] } {
  const requests: ExpectedRequest[] = []
  const errors: HitlessError[] = []
  for (const document of readYaml(readText(file), file)) {
    for (const read of document instanceof HitlessError ? [document] : entriesOf(document, file)) {
      if (read instanceof HitlessError) errors.push(read)
      else requests.push(read)
    }
  }
  return { requests, errors }
}

function entriesOf(document: YamlDocument, file: string): (ExpectedRequest | HitlessError)[] {
  const { value } = document
  const complain = (path: Path, what: string) => {
    const { line, column } = document.position(path)
    return new HitlessError('HITLESS_REQUESTS', `${file}:${line}:${column}: ${what}`)
  }
  if (!isRecord(value) || !Array.isArray(value['requests'])) return [complain([], 'a table of requests has a list under "requests"')]
  return value['requests'].map((entry: unknown, at) => {
    const path = ['requests', at]
    if (!isEntry(entry)) {
      const { where, what } = complaint(isEntry.errors ?? [])
      return complain([...path, ...where], what)
    }
    return { ...entry, name: entry.name ?? `request ${at + 1}`, file, ...document.position(path) }
  })
}

function complaint([error]: readonly ErrorObject[]): { where: Path; what: string } {
  if (error === undefined) return { where: [], what: 'is no request' }
  const where = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  const field = where.join('.') || 'the request'
  if (error.keyword === 'not') return { where, what: 'the request names a client or a gateway, not both' }
  if (error.keyword === 'minProperties') return { where, what: `${field} says nothing` }
  if (error.keyword !== 'additionalProperties') return { where, what: `${field} ${error.message ?? 'is not valid'}` }
  const unknown = String(error.params['additionalProperty'])
  return { where: [...where, unknown], what: `${field} has no field "${unknown}"` }
}
