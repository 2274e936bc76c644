// The other part.

#include <fal/future.hpp>

fal::result<fal::response> run(const fal::client &client, const fal::request &request);

fal::result<fal::response> run(const fal::client &client, const fal::request &request)
{
    return client.run_start(request).and_then([](const fal::op &op) { return op.get(); });
}
