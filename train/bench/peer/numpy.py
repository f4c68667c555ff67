"""Mini-batches in NumPy, float32, in place."""
x, y, parameters = load()


def one_pass():
    for i in range(0, samples, batch):
        a = [x[i : i + batch]]
        for w, b in parameters:
            z = a[-1] @ w.T
            z += b
            a.append(1 / (1 + np.exp(-z)))
        delta = (a[-1] - y[i : i + batch]) * a[-1] * (1 - a[-1])
        delta *= np.float32(rate / len(delta))
        for (w, b), before in zip(reversed(parameters), reversed(a[:-1])):
            first = before is a[0]
            back = None if first else delta @ w
            w -= delta.T @ before
            b -= delta.sum(axis=0)
            if not first:
                delta = back * before * (1 - before)


def cost():
    a = x
    for w, b in parameters:
        a = 1 / (1 + np.exp(-(a @ w.T + b)))
    return float(((a - y) ** 2).sum(dtype=np.float64) / 2 / samples)


measure(one_pass, cost, np.__version__)
