/** The fields that the schemas of CustomResourceDefinitions have, and which of them are read. */
import { parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'

/** An OpenAPI schema, as far as it says where fields are. */
export interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
}

/** `spec.http[].retries.attempts`, `spec.selector.*`: every field without fields of its own, below `spec`. */
export function leavesOf(spec: Schema): string[] {
  return nodes(spec, 'spec').flatMap(({ path, isLeaf }) => (isLeaf ? [path] : []))
}

/**
 * Which fields are asked for when an object of this kind is read: one that has every field, and since some are asked for only where others
 * are not there, one without each of them, and one with each of them alone.
 */
export function readFields(apiVersion: string, kind: string, spec: Schema): Set<string> {
  const read = new Set<string>()
  const paths = nodes(spec, 'spec').map(({ path }) => path)
  const choices = [() => true, ...paths.map(without), ...paths.map(alone)]
  for (const has of choices) {
    const manifest = { apiVersion, kind, metadata: { name: 'a', namespace: 'a' }, spec: sampleOf(spec, 'spec', has) }
    try {
      parseObject(watched(manifest, '', read), DEFAULT_DOMAIN)
    } catch {
      // It lacks what is required: then nothing more of it is read.
    }
  }
  return read
}

/** An object has the field of this path: in some place of a list, under some key of a map. */
export function hasField(object: unknown, path: string): boolean {
  return path
    .replaceAll('[]', '.*')
    .split('.')
    .reduce<unknown[]>((found, step) => found.flatMap((value) => innerValues(value, step)), [object])
    .some((value) => value !== undefined)
}

function innerValues(value: unknown, step: string): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return step === '*' ? Object.values(value) : [(value as Readonly<Record<string, unknown>>)[step]]
}

interface Node {
  readonly path: string
  readonly isLeaf: boolean
}

function nodes(schema: Schema, path: string): Node[] {
  const inner = innerOf(schema, path)
  return [{ path, isLeaf: inner.length === 0 }, ...inner.flatMap(([, at, each]) => nodes(each, at))]
}

/** Fields, the places of a list, or the keys of a map: each with its path. */
function innerOf({ properties, items, additionalProperties }: Schema, path: string): [key: string, path: string, schema: Schema][] {
  if (properties !== undefined) return Object.entries(properties).map(([key, each]) => [key, `${path}.${key}`, each])
  if (items !== undefined) return [['0', `${path}[]`, items]]
  return typeof additionalProperties === 'object' ? [['*', `${path}.*`, additionalProperties]] : []
}

type Has = (path: string) => boolean

function without(left: string): Has {
  return (path) => path !== left
}

function alone(only: string): Has {
  return (path) => isWithin(only, path) || isWithin(path, only)
}

function isWithin(path: string, whole: string): boolean {
  return path.startsWith(whole) && /^($|\.|\[)/.test(path.slice(whole.length))
}

function sampleOf(schema: Schema, path: string, has: Has): unknown {
  const inner = innerOf(schema, path).filter(([, at]) => has(at))
  const values = inner.map(([key, at, each]) => [key, sampleOf(each, at, has)] as const)
  if (schema.items !== undefined) return values.map(([, value]) => value)
  if (schema.type === 'object') return Object.fromEntries(values)
  if (schema.type === 'boolean') return true
  if (schema.type === 'integer' || schema.type === 'number') return 1
  return schema.enum?.[0] ?? 'a'
}

/** The same value; the path of whatever is asked for in it is added to `read`. */
function watched(value: unknown, path: string, read: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value
  return new Proxy(value, {
    get(target, key) {
      const found: unknown = Reflect.get(target, key)
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return found
      const at = Array.isArray(target) ? `${path}[]` : `${path}${path && '.'}${key}`
      read.add(at)
      return watched(found, at, read)
    },
    /** Whoever lists the keys of a map has read them. */
    ownKeys(target) {
      read.add(`${path}.*`)
      return Reflect.ownKeys(target)
    }
  })
}
