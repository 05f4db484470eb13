import t from 'tap'
import { holds } from './holds.ts'

t.setTimeout(900_000)

t.test('generated worlds: requests are answered, and writes judged, as by Istio', (t) => holds(t, 'random-1'))
