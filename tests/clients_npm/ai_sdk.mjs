// Makes one film with the AI SDK: node ai_sdk.mjs '{"base": ..., "key": ..., "model": ..., "ask": {...}}'
// Prints what the SDK understood, as JSON.
import { createAlibaba } from '@ai-sdk/alibaba';
import { experimental_generateVideo as generateVideo } from 'ai';

const { base, key, model, ask } = JSON.parse(process.argv[2]);
const alibaba = createAlibaba({ videoBaseURL: base, apiKey: key });
// The SDK's own download refuses loopback addresses, as it should; the files here are there.
const download = async ({ url }) => {
  const answer = await fetch(url);
  const data = new Uint8Array(await answer.arrayBuffer());
  return { data, mediaType: answer.headers.get('content-type') };
};
const options = { ...ask.providerOptions?.alibaba, pollIntervalMs: 100 };

try {
  const made = await generateVideo({
    ...ask, model: alibaba.video(model), download, maxRetries: 0,
    providerOptions: { alibaba: options },
  });
  console.log(JSON.stringify({
    type: made.video.mediaType,
    bytes: made.video.uint8Array.length,
    head: Buffer.from(made.video.uint8Array.slice(4, 8)).toString('latin1'),
    warnings: made.warnings.map(one => one.feature),
    told: made.providerMetadata.alibaba,
  }));
} catch (error) {
  console.log(JSON.stringify({ error: error.name, message: error.message }));
}
