"""Mini-batches in JAX, float32: a pass is one compiled scan over the mini-batches."""
import jax
import jax.numpy as jnp

x, y, parameters = load()
x, y = (jnp.asarray(v).reshape(samples // batch, batch, -1) for v in (x, y))
parameters = [(jnp.asarray(w.T), jnp.asarray(b)) for w, b in parameters]


def mean_cost(parameters, x, y):
    for w, b in parameters:
        x = jax.nn.sigmoid(x @ w + b)
    return ((x - y) ** 2).sum() / 2 / len(x)


def step(parameters, xy):
    gradient = jax.grad(mean_cost)(parameters, *xy)
    return jax.tree.map(lambda p, g: p - rate * g, parameters, gradient), None


scan = jax.jit(lambda p: jax.lax.scan(step, p, (x, y))[0])
scan = scan.lower(parameters).compile()


def one_pass():
    global parameters
    parameters = jax.block_until_ready(scan(parameters))


def cost():
    return float(mean_cost(parameters, x.reshape(samples, -1), y.reshape(samples, -1)))


measure(one_pass, cost, jax.__version__)
