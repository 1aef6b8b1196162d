// Load on the queues that are Node or Bun libraries, started by tests/bench/run on loopback.
//   node load.mjs MODE peer=NAME modules=DIR port=P [db=URL] jobs=N payload=B window=JOBS progress=F
// MODE produce prints {"begun_ns": …, "seconds": …}; work says ready, then keeps two numbers of 64 bits in the
// file progress, jobs done and when the last was, until it is told to stop. CLOCK_MONOTONIC.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const mode = process.argv[2];
const options = Object.fromEntries(process.argv.slice(3).map((word) => word.split(/=(.*)/s, 2)));
const jobs = Number(options.jobs ?? 0);
const window = Number(options.window ?? 4096);
const port = Number(options.port ?? 0);
const payload = 'p'.repeat(Number(options.payload ?? 256));
const require = createRequire(path.join(options.modules, 'package.json'));
const batch = Math.min(100, window);

class Progress {
  constructor(file) {
    this.fd = fs.openSync(file, 'w');
    this.numbers = new BigUint64Array(2);
  }
  add(count) {
    this.numbers[0] += BigInt(count);
    this.numbers[1] = process.hrtime.bigint();
    // Once a turn of the loop, not once a job.
    this.waiting ??= setImmediate(() => {
      this.waiting = undefined;
      fs.writeSync(this.fd, new Uint8Array(this.numbers.buffer), 0, 16, 0);
    });
  }
}

// Sends the jobs in batches, as many at once as the window has room for.
async function inWindow(send) {
  const begun = process.hrtime.bigint();
  let sent = 0;
  const one = async () => {
    while (sent < jobs) {
      const count = Math.min(batch, jobs - sent);
      sent += count;
      await send(count);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.floor(window / batch)) }, one));
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  console.log(JSON.stringify({ begun_ns: Number(begun), seconds }));
}

const peers = {
  bullmq: {
    connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null },
    async produce() {
      const { Queue } = require('bullmq');
      const queue = new Queue('bench', { connection: this.connection });
      await queue.waitUntilReady();
      const job = { name: 'job', data: { payload }, opts: { removeOnComplete: true } };
      await inWindow((count) => queue.addBulk(Array.from({ length: count }, () => job)));
      await queue.close();
    },
    async work(progress) {
      const { Worker } = require('bullmq');
      const worker = new Worker('bench', async () => progress.add(1),
        { connection: this.connection, concurrency: 100 });
      await worker.waitUntilReady();
    },
  },
  graphile_worker: {
    async setup() {
      const { runMigrations } = require('graphile-worker');
      await runMigrations({ connectionString: options.db });
    },
    async produce() {
      const { makeWorkerUtils } = require('graphile-worker');
      const utils = await makeWorkerUtils({ connectionString: options.db, maxPoolSize: 10 });
      const job = { identifier: 'bench', payload: { payload } };
      await inWindow((count) => utils.addJobs(Array.from({ length: count }, () => job)));
      await utils.release();
    },
    async work(progress) {
      const { Logger, run } = require('graphile-worker');
      await run({
        connectionString: options.db,
        logger: new Logger(() => () => {}),
        taskList: { bench: async () => progress.add(1) },
        noHandleSignals: true,
        preset: {
          worker: {
            connectionString: options.db,
            concurrentJobs: 100,
            maxPoolSize: 10,
            pollInterval: 50,
            localQueue: { size: 500 },
            completeJobBatchDelay: 0,
          },
        },
      });
    },
  },
  bunqueue: {
    connection: { host: '127.0.0.1', port },
    async client() {
      const found = path.join(options.modules, 'node_modules/bunqueue/dist/client/index.js');
      return import(pathToFileURL(found).href);
    },
    async produce() {
      const { Queue } = await this.client();
      const queue = new Queue('bench', { connection: this.connection });
      const job = { name: 'job', data: { payload }, opts: { durable: true, removeOnComplete: true } };
      await inWindow((count) => queue.addBulk(Array.from({ length: count }, () => job)));
    },
    async work(progress) {
      const { Worker } = await this.client();
      new Worker('bench', async () => progress.add(1),
        { connection: this.connection, concurrency: 100 });
    },
  },
};

const peer = peers[options.peer];
if (!peer || !['setup', 'produce', 'work'].includes(mode)) {
  console.error(`load.mjs: setup, produce or work with peer= one of ${Object.keys(peers)}`);
  process.exit(64);
}
if (mode === 'setup') {
  await peer.setup?.();
  process.exit(0);
} else if (mode === 'produce') {
  await peer.produce();
  process.exit(0);
} else {
  process.on('SIGTERM', () => process.exit(0));
  await peer.work(new Progress(options.progress));
  console.log('ready');
}
