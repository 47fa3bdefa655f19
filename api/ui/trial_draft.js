// The request that is being written in the trial. It is kept while the page is open, so that a look
// at a job does not lose it, and it can be filled with the request of a job.

const EMPTY = {
  model: "",
  input: "",
  instructions: "",
  maxTokens: "",
  json: "",
  isRaw: false,
  mode: "stream",
};

export const draft = { ...EMPTY };

/** Make a request the draft: in the form if it fits there, as JSON if not. */
export function setDraft(request) {
  const {
    model,
    input,
    instructions,
    max_output_tokens: most,
    background,
    stream,
    ...rest
  } = request;
  const fits = typeof input === "string" && Object.keys(rest).length === 0;
  const json = JSON.stringify({ ...request, background: undefined, stream: undefined }, null, 2);
  Object.assign(draft, {
    model: model ?? "",
    input: fits ? input : "",
    instructions: instructions ?? "",
    maxTokens: most ?? "",
    json,
    isRaw: !fits,
  });
}

/** The request that the form stands for. */
export function bodyOf({ model, input, instructions, maxTokens }) {
  const body = { model: model.trim(), input };
  if (instructions.trim()) body.instructions = instructions;
  if (String(maxTokens).trim()) body.max_output_tokens = Number(maxTokens);
  return body;
}
