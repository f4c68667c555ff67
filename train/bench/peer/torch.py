"""Mini-batches in PyTorch, float32, in place and without its autograd, which costs more."""
import torch

torch.set_grad_enabled(False)
x, y, parameters = load()
x, y = torch.from_numpy(x), torch.from_numpy(y)
parameters = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in parameters]


def outputs(a):
    every = [a]
    for w, b in parameters:
        every.append(torch.addmm(b, every[-1], w.t()).sigmoid_())
    return every


def one_pass():
    for i in range(0, samples, batch):
        a = outputs(x[i : i + batch])
        delta = (a[-1] - y[i : i + batch]).mul_(a[-1]).mul_(1 - a[-1])
        eta = -rate / len(delta)
        for l in reversed(range(len(parameters))):
            w, b = parameters[l]
            back = delta @ w if l else None
            w.addmm_(delta.t(), a[l], alpha=eta)
            b.add_(delta.sum(0), alpha=eta)
            if l:
                delta = back.mul_(a[l]).mul_(1 - a[l])


def cost():
    return float(((outputs(x)[-1] - y) ** 2).sum(dtype=torch.float64) / 2 / samples)


measure(one_pass, cost, torch.__version__)
