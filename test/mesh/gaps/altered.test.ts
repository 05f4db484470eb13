/** Only what a change can alter is compared, and comes to the same as comparing everything: random worlds and writes, judged both ways. */
import t from 'tap'
import { affectedTargets } from '../../../src/mesh/gaps/affected.ts'
import { type Gap, gapsOfChange, type Target } from '../../../src/mesh/gaps/gaps.ts'
import type { Snapshot } from '../../../src/mesh/snapshot/snapshot.ts'
import { judgementOf, snapshotsOf } from '../../../src/review/judgement.ts'
import { apply, remove, worldOf } from '../../changes.ts'
import { howMany } from '../../form.ts'
import { deployment, destinationRule, gateway, type Manifest, namespace, service, to, unready, virtualService } from '../../manifests.ts'
import { type Random, seeded } from '../../random.ts'
import { fatesOf, keyOf } from './plain.ts'

type Fields = Record<string, unknown>

const WORLDS = howMany(50, 150)
const WRITES = 4
const VERSIONS = ['v1', 'v2', 'v3']
/** More routes than are asked one by one. */
const MOST_RULES = 24

const URIS = [
  { prefix: '/' },
  { prefix: '/a' },
  { prefix: '/a/b' },
  { exact: '/a' },
  { exact: '/a/b/c' },
  { regex: '/a.*' },
  { regex: '.*' }
]
const VALUES = [{ exact: '1' }, { exact: '2' }, { prefix: '1' }, {}]

/** One random world and what is written to it. */
class Dice {
  readonly #random: Random

  constructor(seed: number) {
    this.#random = seeded(seed)
  }

  one<T>(of: readonly [T, ...T[]] | readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T
  }

  chance(share: number): boolean {
    return this.#random() < share
  }

  many<T>(most: number, each: () => T): T[] {
    return Array.from({ length: Math.floor(this.#random() * (most + 1)) }, each)
  }

  match(): Fields {
    return {
      ...(this.chance(0.6) ? { uri: this.one([...URIS, { prefix: `/p${this.one([1, 2, 3, 4, 5, 6, 7, 8])}` }]) } : {}),
      ...(this.chance(0.3) ? { headers: { [this.one(['x', 'y'])]: this.one(VALUES) } } : {}),
      ...(this.chance(0.15) ? { withoutHeaders: { [this.one(['x', 'y'])]: this.one(VALUES) } } : {}),
      ...(this.chance(0.1) ? { method: { exact: this.one(['GET', 'POST']) } } : {}),
      ...(this.chance(0.1) ? { ignoreUriCase: true } : {}),
      ...(this.chance(0.1) ? { authority: { exact: 'hello.example.com' } } : {}),
      ...(this.chance(0.1) ? { sourceLabels: { app: 'helloworld' } } : {})
    }
  }

  rule(): Fields {
    const match = this.chance(0.85) ? { match: [this.match(), ...this.many(1, () => this.match())] } : {}
    if (this.chance(0.05)) return { ...match, redirect: { uri: '/x' } }
    if (this.chance(0.1)) return { ...match, delegate: { name: 'delegate' } }
    const [first, ...others] = [1, 50].map((weight) => to(this.one([null, ...VERSIONS]), weight))
    return { ...match, route: this.chance(0.5) ? [first] : [first, ...others] }
  }

  virtualService(name: string): Manifest {
    const http = [this.rule(), ...this.many(this.chance(0.2) ? MOST_RULES : 5, () => this.rule())]
    const [atGateway, both] = [['gateway'], ['mesh', 'gateway']]
    const bound = this.one<Fields>([
      {},
      {},
      { gateways: atGateway, hosts: ['hello.example.com'] },
      { gateways: both, hosts: ['helloworld', 'hello.example.com'] }
    ])
    return virtualService(http, name === 'delegate' ? { hosts: [] } : bound, { name })
  }

  object(): Manifest {
    const version = this.one(VERSIONS)
    const subsets = VERSIONS.filter(() => this.chance(0.7))
    return this.one<() => Manifest>([
      () => this.virtualService(this.one(['helloworld', 'second', 'third', 'delegate'])),
      () => this.virtualService(this.one(['helloworld', 'second', 'third', 'delegate'])),
      () => destinationRule(subsets, {}, { namespace: this.one(['default', 'other']) }),
      () => (this.chance(0.6) ? deployment(version) : unready(deployment(version))),
      () =>
        service(
          this.chance(0.5)
            ? {}
            : {
                ports: [
                  { name: 'http', port: 3000 },
                  { name: 'http-b', port: 80 }
                ]
              }
        ),
      () => gateway(this.one([['*'], ['hello.example.com'], ['other.example.com']]))
    ])()
  }

  /** One rule of it is changed, moved, added or taken away; of other kinds another object. */
  edit(manifest: Manifest): Manifest {
    if (manifest.kind !== 'VirtualService') return this.object()
    const edited = structuredClone(manifest)
    const { http } = edited['spec'] as { http: Fields[] }
    const at = Math.floor(this.#random() * http.length)
    this.one([
      () => http.splice(at, 1, this.rule()),
      () => http.splice(at, 1, { ...http[at], ...(http[at]?.['route'] === undefined ? {} : { route: [to(this.one(VERSIONS))] }) }),
      () => http.length > 1 && http.splice(at, 1),
      () => http.splice(at, 0, this.rule()),
      () => http.push({ route: [to('v1')] }),
      () => http.push(...http.splice(at, 1))
    ])()
    return edited
  }
}

function keyOfManifest({ kind, metadata }: Manifest): string {
  return `${kind} ${String(metadata['namespace'])}/${String(metadata['name'])}`
}

/** Nothing on a host counts as served once its Service is gone. */
function mayBeTornDown(snapshots: readonly Snapshot[], { host }: Target): boolean {
  return snapshots.some((snapshot) => !snapshot.has('serviceByHost', host))
}

/** What differs between the two ways, in words; none where they come to the same. */
function differences(before: Snapshot, after: Snapshot, targets: readonly Target[]): string[] {
  const { all, opened } = gapsOfChange(before, after, targets)
  const keyed = (gaps: readonly Gap[]) =>
    Map.groupBy(gaps, (gap) => keyOf(gap, gap.port, gap.serverName, gap.protocol === 'http', gap.requestClass))
  const [stands, grows] = [keyed(all), keyed(opened)]
  return targets.flatMap((target) =>
    fatesOf(before, after, target).flatMap(({ connection, requestClass, before: was, after: is }) => {
      const key = keyOf(target, connection.port, connection.serverName, connection.http, requestClass)
      // A class may stand twice: as a condition, and as what two conditions have in common.
      const told = sumOnce(stands.get(key))
      const isOpened = was !== null && is !== null && is > was + 1e-9
      if (Math.abs(told - (is ?? 0)) > 1e-9) return [`${key}: ${told} fail instead of ${is}`]
      if (isOpened === grows.has(key) || (!grows.has(key) && mayBeTornDown([before, after], target))) return []
      return [`${key}: ${was} and then ${is}, opened: ${grows.has(key)}`]
    })
  )
}

function sumOnce(gaps: readonly Gap[] = []): number {
  const once = new Map(gaps.map(({ path, share }) => [JSON.stringify(path), share]))
  return [...once.values()].reduce((sum, share) => sum + share, 0)
}

t.test(`${WORLDS} random worlds, ${WRITES} writes to each`, async (t) => {
  let opens = 0
  for (let seed = 0; seed < WORLDS; seed++) {
    const dice = new Dice(seed)
    const stored = new Map([gateway(), service(), ...dice.many(14, () => dice.object())].map((each) => [keyOfManifest(each), each]))
    for (let turn = 0; turn < WRITES; turn++) {
      const world = worldOf([namespace('default'), namespace('other'), ...stored.values()])
      const known = dice.one([...stored.values()])
      const written = dice.chance(0.75) ? dice.edit(known) : dice.object()
      const change = dice.chance(0.15) ? remove(world, known) : apply(world, written)
      // As the review sees it, in which parts that stay are shared.
      const judged = judgementOf(change, world)
      const { before, after } = snapshotsOf(judged.change, world)
      const objects = [judged.change.before, judged.change.after].filter((object) => object !== null)
      const targets = affectedTargets(before, after, objects)
      const found = differences(before, after, targets)
      t.strictSame(found.slice(0, 3), [], `world ${seed}, write ${turn}`)
      if (judged.opened.length > 0) opens++
      if (change.operation === 'DELETE') stored.delete(keyOfManifest(known))
      else stored.set(keyOfManifest(written), written)
      if (stored.size === 0) break
    }
  }
  t.ok(opens > WORLDS / 5, `${opens} writes open a gap`)
})
