"""The models of the GPU benchmark in plain PyTorch: the same shapes, batches and optimiser, eager and compiled.

Started by cuda-bench.ts with one JSON argument {name, model, batches, device}; prints one JSON line for each measurement,
or one that says why there is none. Speed alone is measured here; the numbers are compared with the CPU elsewhere.
B = batch, T = tokens, H = query heads, K = key-value heads, d = width of a head
"""

import json
import sys
import time

STEPS = 20
REPEATS = 3


def say(**facts):
    print(json.dumps(facts), flush=True)


REQUEST = json.loads(sys.argv[1])
try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    say(part="speed", engine="pytorch", model=REQUEST["name"], skipped="PyTorch is not installed")
    sys.exit(0)


class Norm(nn.Module):
    def __init__(self, dim, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotate(x, cosine, sine):
    """x [B, heads, T, d]; halves are turned against each other, as in the Llama classes."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cosine + turned * sine


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["heads"], c["kvHeads"]
        self.head_dim = c["dim"] // c["heads"]
        kv_dim = self.kv_heads * self.head_dim
        linear = lambda inputs, outputs: nn.Linear(inputs, outputs, bias=False)
        self.norm_1, self.norm_2 = Norm(c["dim"], c["normEpsilon"]), Norm(c["dim"], c["normEpsilon"])
        self.q, self.k, self.v = linear(c["dim"], c["dim"]), linear(c["dim"], kv_dim), linear(c["dim"], kv_dim)
        self.o = linear(c["dim"], c["dim"])
        self.gate, self.up = linear(c["dim"], c["feedForward"]), linear(c["dim"], c["feedForward"])
        self.down = linear(c["feedForward"], c["dim"])

    def forward(self, x, cosine, sine):
        batch, tokens, dim = x.shape
        split = lambda y, heads: y.view(batch, tokens, heads, self.head_dim).transpose(1, 2)
        h = self.norm_1(x)
        q = rotate(split(self.q(h), self.heads), cosine, sine)
        k = rotate(split(self.k(h), self.kv_heads), cosine, sine)
        v = split(self.v(h), self.kv_heads)
        if self.heads != self.kv_heads:
            k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
            v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, tokens, dim))
        h = self.norm_2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed = nn.Embedding(c["vocabSize"], c["dim"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["layers"]))
        self.norm = Norm(c["dim"], c["normEpsilon"])
        d = c["dim"] // c["heads"]
        places = torch.arange(c["contextLength"]).float()
        angles = torch.outer(places, c["ropeTheta"] ** (-torch.arange(0, d, 2).float() / d))
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def forward(self, inputs, targets):
        tokens = inputs.shape[1]
        x = self.embed(inputs)
        for layer in self.layers:
            x = layer(x, self.cosine[:tokens], self.sine[:tokens])
        logits = self.norm(x) @ self.embed.weight.T
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))


def measure(config, batch, device, compiled):
    torch.manual_seed(1)
    model = Llama(config).to(device)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=device == "cuda")
    forward = torch.compile(model) if compiled else model
    size = (batch["batchSize"], batch["sequenceLength"] + 1)
    data = torch.randint(0, config["vocabSize"], (STEPS, *size), device=device)
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def run(steps):
        for step in range(steps):
            loss = forward(data[step][:, :-1], data[step][:, 1:])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        wait()

    run(3)
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        run(STEPS)
        best = min(best, time.perf_counter() - started)
    tokens = batch["batchSize"] * batch["sequenceLength"]
    parameters = sum(p.numel() for p in model.parameters())
    return {
        "parameters": parameters,
        "tokensPerStep": tokens,
        "msPerStep": best / STEPS * 1000,
        "tokensPerSecond": tokens * STEPS / best,
    }


def main():
    device = REQUEST["device"]
    if device == "cuda" and not torch.cuda.is_available():
        say(part="speed", engine="pytorch", model=REQUEST["name"], skipped="this PyTorch sees no GPU")
        return
    for tf32 in (True, False) if device == "cuda" else (False,):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        for name, batch in REQUEST["batches"].items():
            for compiled in (False, True):
                facts = {
                    "part": "speed",
                    "engine": "pytorch" + (" compiled" if compiled else ""),
                    "version": torch.__version__,
                    "model": REQUEST["name"],
                    "batch": name,
                    "device": device,
                    "tf32": tf32,
                }
                try:
                    say(**facts, **measure(REQUEST["model"], batch, device, compiled))
                except Exception as error:  # out of memory, or no compiler: a result as well
                    say(**facts, error=str(error)[-300:])
                if device == "cuda":
                    torch.cuda.empty_cache()


main()
