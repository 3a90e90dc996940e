/** What loads have in common: clients that each keep messages in flight, for as long as they are told. */
export class Load {
  clients = [];

  /** Opens every connection. */
  async connect() {
    await Promise.all(this.clients.map((client) => client.connect()));
  }

  /**
   * Keeps the messages in flight for a while, then waits for the last echo.
   *
   * @param {number} ms
   * @returns {Promise<{ messages: number, elapsed: number }>} how many went round, and in how many milliseconds
   */
  async run(ms) {
    const start = performance.now();
    const before = this.#count();
    for (const client of this.clients) client.start();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await Promise.all(this.clients.map((client) => client.finish()));
    return { messages: this.#count() - before, elapsed: performance.now() - start };
  }

  close() {
    for (const client of this.clients) client.close();
  }

  #count() {
    return this.clients.reduce((sum, client) => sum + client.messages, 0);
  }
}
