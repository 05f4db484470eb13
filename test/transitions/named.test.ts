import t from 'tap'
import { holds } from './holds.ts'

// Too long for the group `fast`.
t.setTimeout(900_000)

t.test('named worlds: requests are answered, and writes judged, as by Istio', (t) => holds(t, 'named'))

t.test('worlds on which hitless was found wrong, and meshes with settings of their own: the same', (t) => holds(t, 'hunted'))
