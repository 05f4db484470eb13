import t from 'tap'
import { holds } from './holds.ts'

t.test('named worlds: requests are answered, and writes judged, as by Istio', (t) => holds(t, 'named'))
