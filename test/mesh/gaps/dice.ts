/** Random worlds, and what is written to them. */
import { deployment, destinationRule, gateway, type Manifest, service, to, unready, virtualService } from '../../manifests.ts'
import { type Random, seeded } from '../../random.ts'

type Fields = Record<string, unknown>

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
export class Dice {
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

  /** One of many for the same host at the gateway. */
  merged(name: string): Manifest {
    const bound = { gateways: ['gateway'], hosts: ['hello.example.com'] }
    return virtualService([this.rule(), ...this.many(2, () => this.rule())], bound, { name, namespace: this.one(['default', 'other']) })
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

export function keyOfManifest({ kind, metadata }: Manifest): string {
  return `${kind} ${String(metadata['namespace'])}/${String(metadata['name'])}`
}
