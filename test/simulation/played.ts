/** Plays the script on an API server, and writes down what must be the same on every one. */
import { type Answer, type ApiRequest, pathOf, placeOf } from './request.ts'
import { NAMESPACE, SCRIPT, type ScriptStep, WATCHED } from './script.ts'

export interface WatchEvent {
  readonly type: string
  readonly object: {
    readonly code?: number
    readonly reason?: string
    readonly message?: string
    readonly metadata?: {
      readonly name?: string
      readonly resourceVersion?: string
      readonly annotations?: Readonly<Record<string, string>>
    }
  }
}

export interface Target {
  send(request: ApiRequest): Promise<Answer>
  /** All that comes until the server ends the stream. */
  watch(path: string): Promise<readonly WatchEvent[]>
  otherRefuses(refuses: boolean): Promise<unknown>
  quota(virtualServices: number): Promise<unknown>
}

export interface Played {
  readonly answers: readonly string[]
  readonly watches: Readonly<Record<string, readonly string[]>>
}

/** A Pod that has ended leaves this selection. */
const RUNNING = 'fieldSelector=status.phase!=Succeeded,status.phase!=Failed'

export async function played(target: Target): Promise<Played> {
  const player = new Player(target)
  const answers: string[] = []
  for (const step of SCRIPT) {
    const answer = await player.step(step)
    if (answer !== null) answers.push(answer)
  }
  const from = `watch=true&timeoutSeconds=1&resourceVersion=${player.started}`
  const watches = new Map<string, readonly string[]>()
  for (const kind of WATCHED) watches.set(kind, told(await target.watch(`${pathOf(kind, NAMESPACE)}?${from}`)))
  watches.set('Pods that run', told(await target.watch(`${pathOf('Pod', NAMESPACE)}?${from}&${RUNNING}`)))
  watches.set('too old', told(await target.watch(`${pathOf('VirtualService', null)}?watch=true&timeoutSeconds=1&resourceVersion=1`)))
  const list = 'watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
  watches.set('streaming list', told(await target.watch(`${pathOf('Deployment', NAMESPACE)}?${list}`)).slice(0, 3))
  watches.set('pages', await pages(target))
  return { answers, watches: Object.fromEntries(watches) }
}

class Player {
  readonly #target: Target
  /** The first version of each object, and the last that was seen. */
  readonly #first = new Map<string, string>()
  readonly #last = new Map<string, string>()
  #otherRefuses = false
  /** The version of the first object that was written. */
  started = ''

  constructor(target: Target) {
    this.#target = target
  }

  async step(step: ScriptStep): Promise<string | null> {
    if ('otherRefuses' in step || 'quota' in step) {
      if ('otherRefuses' in step) this.#otherRefuses = step.otherRefuses
      await ('quota' in step ? this.#target.quota(step.quota) : this.#target.otherRefuses(step.otherRefuses))
      return null
    }
    const { version, ...request } = step
    const answer = await this.#target.send(version === undefined ? request : this.#stale(request))
    // Of two that refuse, the one that was first is shown.
    const said = this.#otherRefuses ? summary(answer).replace(/(denied the request): .*/, '$1') : summary(answer)
    return `${step.method} ${step.path}: ${said}${step.method === 'DELETE' ? '' : this.#version(request, answer)}`
  }

  #stale({ body, ...request }: ApiRequest): ApiRequest {
    const { metadata = {}, ...rest } = (body ?? {}) as { metadata?: object }
    return { ...request, body: { ...rest, metadata: { ...metadata, resourceVersion: this.#first.get(keyOf(request, body)) } } }
  }

  #version(request: ApiRequest, { status, body }: Answer): string {
    const version = status < 300 ? (body as WatchEvent['object']).metadata?.resourceVersion : undefined
    if (version === undefined) return ''
    const key = keyOf(request, body)
    const last = this.#last.get(key)
    if (this.started === '') this.started = version
    if (last === undefined) this.#first.set(key, version)
    this.#last.set(key, version)
    return last === undefined
      ? ' new'
      : last === version
        ? ' same version'
        : Number(version) > Number(last)
          ? ' later version'
          : ' earlier version'
  }
}

function keyOf({ path }: ApiRequest, body: unknown): string {
  const place = placeOf(path)
  return `${place?.kind} ${place?.name ?? (body as WatchEvent['object']).metadata?.name}`
}

/** The name of a webhook is its registration's. */
function summary({ status, body }: Answer): string {
  const { reason = '', message = '' } = (body ?? {}) as WatchEvent['object']
  const text = message.replace(/admission webhook "[^"]*"/, 'admission webhook').replace(/exceeded quota.*/, 'exceeded quota')
  return status < 300 ? String(status) : `${status} ${reason} ${text}`
}

function told(events: readonly WatchEvent[]): string[] {
  let last = 0
  return events.map(({ type, object }) => {
    const { name = '', resourceVersion, annotations = {} } = object.metadata ?? {}
    if (type === 'ERROR') return `ERROR ${object.code} ${object.reason} ${object.message?.replaceAll(/\d+/g, 'N')}`
    const order = Number(resourceVersion) > last ? 'later' : 'not later'
    last = Number(resourceVersion)
    return type === 'BOOKMARK' ? `BOOKMARK ${Object.keys(annotations)}` : `${type} ${name} ${order}`
  })
}

async function pages(target: Target): Promise<string[]> {
  const path = `${pathOf('Deployment', NAMESPACE)}?labelSelector=&limit=1`
  const first = (await target.send({ method: 'GET', path })).body as ListPage
  const second = (await target.send({ method: 'GET', path: `${path}&continue=${first.metadata.continue}` })).body as ListPage
  const isOneState = first.metadata.resourceVersion === second.metadata.resourceVersion
  return [
    ...[first, second].map(({ items, metadata }) => `${items.map(({ metadata: { name } }) => name)} ${'continue' in metadata}`),
    String(isOneState)
  ]
}

interface ListPage {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly { readonly metadata: { readonly name: string } }[]
}
