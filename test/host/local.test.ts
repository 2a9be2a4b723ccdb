import { LocalHost } from '../../src/host/local.ts';
import { describeHostContract } from './host-contract.ts';

describeHostContract('this machine', async () => new LocalHost());
