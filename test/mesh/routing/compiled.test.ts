/** What is made of the Gateway API's objects follows every one of them, in whichever order they come and go. */
import { join } from 'node:path'
import t from 'tap'
import { contextsOf } from '../../../src/cli/contexts.ts'
import { KINDS, type MeshObject } from '../../../src/kinds/index.ts'
import { changed, MeshWorld } from '../../../src/mesh/routing/gateway-api/compiled.ts'
import type { Snapshot } from '../../../src/mesh/snapshot/snapshot.ts'
import { routesJson } from '../../../src/output/route-json.ts'
import { worldOf } from '../../changes.ts'
import { readLines, sandboxOf } from '../../conformance/worlds.ts'
import { guide, guideByRoutes } from '../../manifests.ts'

t.setTimeout(900_000)

const WORLDS = join(import.meta.dirname, '../..', 'conformance', 'gateway-api', 'worlds')
/** Of which something is made. */
const CHANGED = [
  'Namespace',
  'Service',
  'ServiceEntry',
  'KubernetesGateway',
  'GatewayClass',
  'ListenerSet',
  'ReferenceGrant',
  'Secret',
  'HTTPRoute',
  'GRPCRoute',
  'TLSRoute',
  'TCPRoute'
] as const

const objectsOf = (snapshot: Snapshot): MeshObject[] => KINDS.flatMap((kind): MeshObject[] => [...snapshot.all(kind)])

function filled(snapshot: Snapshot, objects: readonly MeshObject[]): MeshWorld {
  const world = new MeshWorld(snapshot.settings)
  for (const object of objects) world.set(object)
  return world
}

for (const line of readLines(join(WORLDS, 'named.jsonl'))) {
  t.test(line.case, async (t) => {
    const whole = sandboxOf(join(WORLDS, 'named'), line.case).sandbox.snapshot()
    const contexts = contextsOf(whole)
    const routes = (snapshot: Snapshot) => routesJson(snapshot, contexts)
    const objects = objectsOf(whole)
    t.strictSame(routes(filled(whole, objects.toReversed())), routes(whole), 'in another order')
    const world = filled(whole, objects)
    for (const object of CHANGED.flatMap((kind) => [...whole.all(kind)])) {
      const name = `${object.kind} ${object.namespace}/${object.name}`
      // Of copies, of which nothing is known yet.
      const without = filled(
        whole,
        objects.filter((other) => other !== object).map((other) => structuredClone(other))
      )
      t.strictSame(routes(changed(whole, { removed: [object] })), routes(without), `${name} removed`)
      t.strictSame(routes(changed(without, { added: [object] })), routes(whole), `${name} added`)
      world.delete(object)
      t.strictSame(routes(world), routes(without), `${name} deleted`)
      world.set(object)
    }
    t.strictSame(routes(world), routes(whole), 'all are there again')
  })
}

t.test('a mesh without objects of the Gateway API holds nothing more, and with them no object of the cluster more', async (t) => {
  const plain = worldOf(guide())
  t.equal([...plain.lookup('virtualServiceByGateway', 'mesh')].length, [...plain.all('VirtualService')].length)
  const routed = worldOf(guideByRoutes())
  t.equal([...routed.lookup('virtualServiceByGateway', 'mesh')].length, 1)
  t.strictSame([...routed.all('VirtualService')], [])
})
